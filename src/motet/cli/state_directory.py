"""Where what should outlive a process is kept: the XDG state directory of this user."""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    """`motet` in $XDG_STATE_HOME, or in ~/.local/state if that is no absolute path. Not made."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = Path.home() / ".local" / "state"
    return state / "motet"
