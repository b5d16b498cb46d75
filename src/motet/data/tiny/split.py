"""Which tasks are wanted: for training or for testing, told apart by their numbers; easy ones.

The same calculation (47+38, 38+47) in whatever words is always on the same side, so a model
that was trained on the one has never seen a calculation of the other worked out.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

from motet.data.tiny.arithmetic import Step, evaluate
from motet.data.tiny.lines import Task

__all__ = ["Split", "Wanted", "split_of"]

_NUM_PARTS = 10


class Split(StrEnum):
    """Nine tenths are for training, one tenth for testing."""

    TRAIN = "train"
    TEST = "test"


def split_of(task: Task) -> Split:
    """The side of a task: by its steps, or by its question if it has none."""
    steps = [_canonical(line.step) for line in task.lines if line.step is not None]
    key = ";".join(steps) or task.question
    return Split.TEST if zlib.crc32(key.encode()) % _NUM_PARTS == 0 else Split.TRAIN


@dataclass(frozen=True, slots=True)
class Wanted:
    """split: only tasks of this side. max_number, max_steps: no larger number or longer working."""

    split: Split | None = None
    max_number: int | None = None
    max_steps: int | None = None

    def takes(self, task: Task) -> bool:
        """Whether a task is wanted."""
        if self.split is not None and split_of(task) is not self.split:
            return False
        if self.max_steps is not None and len(task.lines) > self.max_steps:
            return False
        if self.max_number is None:
            return True
        steps = [line.step for line in task.lines if line.step is not None]
        return all(max(s.x, s.y, evaluate(s)) <= self.max_number for s in steps)


def _canonical(step: Step) -> str:
    x, y = sorted((step.x, step.y)) if step.op in "+*" else (step.x, step.y)
    return f"{x}{step.op}{y}"
