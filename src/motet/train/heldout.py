"""How many held-out problems a model answers right, ends by itself on, and answers without a voice.

    python -m motet.train.heldout MODEL NUM_PROBLEMS SEED [CHANNEL_TO_SILENCE]

Problems come from templates that are never trained on. Greedy, live feeding, the engine's default
settings. An answer is right if the last number that Output says is the result. Shares come with
95 % Wilson intervals.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from motet.data.tiny.lines import Task
from motet.data.tiny.mixture import held_out_problems
from motet.engine import load
from motet.errors import MotetError, SettingError

__all__ = ["Attempt", "attempt", "wilson"]

_BATCH = 32
_NUMBER = re.compile(r"\d+")
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a model did with one task."""

    task: Task
    channels: dict[str, str]
    ended: bool

    @property
    def is_right(self) -> bool:
        """Whether the last number of the reply is the result."""
        return _NUMBER.findall(self.channels["Output"])[-1:] == [self.task.answer]


def attempt(model: str, tasks: Sequence[Task], ablate: Sequence[str] = ()) -> Iterator[Attempt]:
    """Ask `model` every task, many at a time, in order."""
    engine = load(model)
    settings = engine.settings(ablate=frozenset(ablate))
    for start in range(0, len(tasks), _BATCH):
        batch = tasks[start : start + _BATCH]
        sessions = [engine.open(settings, context_rows=1_024) for _ in batch]
        for session, task in zip(sessions, batch, strict=True):
            session.give(task.question)
        while engine.step(sessions):
            pass
        for session, task in zip(sessions, batch, strict=True):
            channels = {name: session.text(name) for name in session.layout.names}
            yield Attempt(task, channels, ended=str(session.stopped_by) == "end")


def wilson(num_hits: int, num_trials: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    share, scale = num_hits / num_trials, 1 + _Z**2 / num_trials
    middle = (share + _Z**2 / (2 * num_trials)) / scale
    spread = share * (1 - share) / num_trials + _Z**2 / (4 * num_trials**2)
    half = _Z * sqrt(spread) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def main(arguments: list[str]) -> int:
    """Print every failure as a line of JSON, then the shares; returns the exit code."""
    try:
        if len(arguments) not in (3, 4) or not all(a.isdigit() for a in arguments[1:3]):
            expected = "MODEL NUM_PROBLEMS SEED [CHANNEL_TO_SILENCE]"
            raise SettingError("arguments", expected=expected, got=" ".join(arguments))
        model, num_problems, seed = arguments[0], int(arguments[1]), int(arguments[2])
        tasks = held_out_problems(num_problems, seed)
        attempts = []
        for one in attempt(model, tasks, arguments[3:]):
            attempts.append(one)
            if not (one.is_right and one.ended):
                failure = {"place": one.task.place, "answer": one.task.answer, "ended": one.ended}
                print(json.dumps(failure | one.channels, ensure_ascii=False), flush=True)
    except MotetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, hits in (
        ("right", sum(a.is_right for a in attempts)),
        ("ended", sum(a.ended for a in attempts)),
    ):
        low, high = wilson(hits, num_problems)
        summary = {name: hits / num_problems, "interval_95": [round(low, 4), round(high, 4)]}
        print(json.dumps(summary | {"num_problems": num_problems, "seed": seed}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
