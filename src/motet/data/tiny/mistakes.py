"""Wrong lines planted in Think's working, so that Skeptical learns to object.

A slip falsifies one fact of the line. Which step is taken is left alone: Skeptical takes it over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from motet.data.tiny.arithmetic import Slip, Step, num_facts, write
from motet.data.tiny.lines import Line, Task

__all__ = ["Written", "plant", "written_lines"]


@dataclass(frozen=True, slots=True)
class Written:
    """A line as Think writes it: `text`, which is not that of `line` if it is a planted mistake."""

    text: str
    line: Line
    is_last: bool

    @property
    def is_wrong(self) -> bool:
        """Whether a mistake is planted here; the right line then follows."""
        return self.text != self.line.text

    @property
    def stop(self) -> str:
        """What ends the line."""
        return "." if self.is_last else "\n"

    def parting(self, ids: Callable[[str], list[int]]) -> tuple[list[int], list[int], int]:
        """Tokens of the line as written and of the right one, and how many they share at first."""
        written, right = (ids(text + self.stop) for text in (self.text, self.line.text))
        pairs = enumerate(zip(written, right, strict=False))
        return written, right, next(i for i, (a, b) in pairs if a != b)


def written_lines(task: Task, rng: Random, mistake_share: float) -> Iterator[Written]:
    """The working of a task; with probability `mistake_share` one line is first written wrong."""
    places = [i for i, line in enumerate(task.lines) if line.step is not None]
    is_misled = bool(places) and rng.random() < mistake_share
    mistake_at = rng.choice(places) if is_misled else None
    for index, line in enumerate(task.lines):
        is_last = index + 1 == len(task.lines)
        if index == mistake_at and line.step is not None:
            yield Written(plant(line.step, rng), line, is_last)
        yield Written(line.text, line, is_last)


def plant(step: Step, rng: Random) -> str:
    """A wrong way to write the line of `step`."""

    def falsify(value: int) -> int:
        return rng.choice([v for d in (1, 2, 10) for v in (value - d, value + d) if v >= 0])

    slip = Slip(rng.randrange(num_facts(step)), falsify)
    return write(step, slip)[0]
