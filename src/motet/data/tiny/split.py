"""Tasks for training and tasks for testing, told apart by their numbers.

The same calculation (47+38, 38+47) in whatever words is always on the same side, so a model
that was trained on the one has never seen a calculation of the other worked out.
"""

from __future__ import annotations

import zlib
from enum import StrEnum

from motet.data.tiny.arithmetic import Step
from motet.data.tiny.lines import Task

__all__ = ["Split", "split_of"]

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


def _canonical(step: Step) -> str:
    x, y = sorted((step.x, step.y)) if step.op in "+*" else (step.x, step.y)
    return f"{x}{step.op}{y}"
