"""Where this user's files lie that nobody has named: what is to last, and what can be made again.

XDG base directories; a variable that is no absolute path is ignored, as the specification says.
"""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """`motet` in $XDG_STATE_HOME, else in ~/.local/state: conversations. It need not exist."""
    return _base("XDG_STATE_HOME", ".local", "state")


def cache_folder() -> Path:
    """`motet` in $XDG_CACHE_HOME, else in ~/.cache: what can be made again. It need not exist."""
    return _base("XDG_CACHE_HOME", ".cache")


def _base(variable: str, *usual: str) -> Path:
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else Path.home().joinpath(*usual)) / "motet"
