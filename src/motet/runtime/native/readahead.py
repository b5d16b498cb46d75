"""Bring a mapped file into memory before it is needed.

Rows touch the weights of a mixture of experts here and there, and a page at a time is the slowest
way to read a disk. So the system is asked for all of a file in order, in a thread of its own.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

STEP_BYTES = 1 << 20
"""Asked for at once; of more, Linux may read only the beginning."""


def read_ahead(path: Path) -> Thread | None:
    """Ask for every page of a file, while the caller goes on; None where a system can't be asked.

    What is in memory already costs next to nothing. A file that is gone is not asked for.
    """
    if not hasattr(os, "posix_fadvise"):
        return None
    thread = Thread(target=_ask, args=(path,), name=f"read ahead {path.name}", daemon=True)
    thread.start()
    return thread


def _ask(path: Path) -> None:
    try:
        with path.open("rb") as file:
            for start in range(0, os.fstat(file.fileno()).st_size, STEP_BYTES):
                os.posix_fadvise(file.fileno(), start, STEP_BYTES, os.POSIX_FADV_WILLNEED)
    except OSError:
        return
