"""Where the journal is if nobody says: in the user's state folder."""

from __future__ import annotations

from pathlib import Path

from motet.folders import state_folder


def default_journal() -> Path:
    """The file of conversations."""
    return state_folder() / "journal.sqlite"
