"""What a model answers to tasks with a known answer, and whether it is right.

Greedy or however the settings say, many tasks at a time. What is right is judged as everywhere, see
`motet.eval.questions.judging`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from motet.data.tiny.lines import Task
from motet.engine import Engine
from motet.eval.intervals import Interval, wilson
from motet.eval.questions.asking import evaluate
from motet.eval.questions.judging import Outcome, judge
from motet.eval.questions.question import Question

OUTPUT = "Output"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a model did with one task."""

    task: Task
    channels: dict[str, str]
    ended: bool

    @property
    def is_right(self) -> bool:
        """Whether the reply gives the result as its answer, a number, or says it, a text."""
        return judge(self.channels[OUTPUT], self.task.answer).outcome is Outcome.RIGHT


def attempt(
    engine: Engine[Any],
    tasks: Sequence[Task],
    ablate: Sequence[str] = (),
    advance: Callable[[], None] = lambda: None,
) -> list[Attempt]:
    """Ask every task in a session of its own, many at a time; `advance` is called after each.

    ablate: channels that stay silent. Raises LayoutError if the model has no channel Output.
    """
    engine.codec.layout.index(OUTPUT)
    questions = [
        Question(number, task.question, task.answer, task.place)
        for number, task in enumerate(tasks)
    ]
    settings = engine.settings(ablate=frozenset(ablate))
    trials = evaluate(engine, questions, settings, advance=advance)
    return [
        Attempt(task, trial.channels, trial.ended)
        for task, trial in zip(tasks, trials, strict=True)
    ]


@dataclass(frozen=True)
class Answers:
    """Problems that were answered right, with a 95 % Wilson interval of their share.

    gained, lost: problems that a reference, asked the same ones, got wrong or right otherwise.
    """

    num_problems: int
    num_right: int
    interval: Interval
    gained: int
    lost: int

    @classmethod
    def of(cls, attempts: Sequence[Attempt], reference: Sequence[Attempt]) -> Answers:
        """Attempts at the same problems, held against a reference's."""
        pairs = [(a.is_right, b.is_right) for a, b in zip(attempts, reference, strict=True)]
        num_right = sum(a.is_right for a in attempts)
        return cls(
            num_problems=len(pairs),
            num_right=num_right,
            interval=wilson(num_right, len(pairs)),
            gained=pairs.count((True, False)),
            lost=pairs.count((False, True)),
        )
