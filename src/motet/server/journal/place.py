"""Where the journal is if nobody says: in the user's state directory, as XDG names it."""

from __future__ import annotations

import os
from pathlib import Path


def default_journal() -> Path:
    """`motet/journal.sqlite` in $XDG_STATE_HOME, or in ~/.local/state if that is not absolute."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path.home() / ".local" / "state"
    return state / "motet" / "journal.sqlite"
