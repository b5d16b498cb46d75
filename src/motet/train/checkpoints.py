"""Checkpoints on disk: a folder that is complete, or none.

Everything is written to `.checkpoint-N.partial`, put on the disk, and renamed when all processes
are done. A process may be killed at any moment; the next start finds the last complete one.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Checkpoints"]

_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in `folder`. keep: how many of the latest stay, besides the best one.

    barrier: waits for all processes of the run.
    """

    folder: Path
    keep: int
    is_writer: bool
    barrier: Callable[[], None]

    def path(self, step: int) -> Path:
        """Where the checkpoint of `step` is."""
        return self.folder / f"checkpoint-{step}"

    def steps(self) -> list[int]:
        """Steps of the complete ones, in order."""
        if not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match.group(1)) for match in found if match)

    @contextmanager
    def new(self, step: int, best_step: int | None) -> Iterator[Path]:
        """A folder to write to; it becomes the checkpoint of `step` when the block ends.

        Then those that are neither among the latest nor `best_step` are removed.
        """
        partial = self.folder / f".checkpoint-{step}.partial"
        if self.is_writer:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        self.barrier()
        yield partial
        self.barrier()
        if self.is_writer:
            _to_disk(partial)
            final = self.path(step)
            if final.exists():  # written before, by a run that went on from an earlier one
                shutil.rmtree(final)
            partial.rename(final)
            _sync(self.folder)
            self._remove_old(best_step)
        self.barrier()

    def _remove_old(self, best_step: int | None) -> None:
        for step in self.steps()[: -self.keep]:
            if step != best_step:
                stale = self.folder / f".checkpoint-{step}.partial"
                self.path(step).rename(stale)  # never half a checkpoint under a good name
                shutil.rmtree(stale)
        for leftover in self.folder.glob(".checkpoint-*.partial"):
            shutil.rmtree(leftover)


def _to_disk(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
