"""A file is whole or it is not there: written under another name beside it, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL_SUFFIX = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write `path` in binary: it appears when the block ends, and not at all if the block fails.

    What is written is on the disk before it appears. A process that is killed leaves at most
    `NAME.partial` behind, which the next writer of the same file replaces.
    """
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
