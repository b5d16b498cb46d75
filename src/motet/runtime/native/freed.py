"""What ggml gave is given back with the Python object that has it."""

from __future__ import annotations

import weakref
from collections.abc import Callable


def free_with(owner: object, free: Callable[[int], object], handle: int) -> None:
    """Call `free(handle)` when `owner` is gone; of several, the latest first.

    At the end of the process nothing is called: another thread may still be computing, and the
    system takes all memory back.
    """
    weakref.finalize(owner, free, handle).atexit = False
