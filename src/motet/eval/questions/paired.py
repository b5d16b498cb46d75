"""Two models, or two settings, on the same questions: is one better, or is it chance?

Questions differ more than models do, so the two are held against each other question by question.

    McNemar    b questions that only A got right, c that only B did: under chance each is a coin's
               throw, so p = 2 * P(Binomial(b + c, 1/2) <= min(b, c)), exact, at most 1
    bootstrap  difference of the accuracies, questions drawn again and again as pairs

Q. McNemar, Psychometrika 12, 1947. With several samples a question McNemar looks at majorities and
the difference is one of averages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from motet.errors import InputError
from motet.eval.intervals import Interval, bootstrap_mean
from motet.eval.questions.figures import by_question, majority
from motet.eval.questions.trial import Trial

__all__ = ["Paired", "mcnemar"]


@dataclass(frozen=True)
class Paired:
    """A against B. both, only_a, only_b, neither: questions by who got them right.

    difference: accuracy of A minus that of B, with its 95 % interval. p: McNemar's, two-sided.
    wait_difference, rows_difference: means of A minus B over trials where both are known.
    """

    num_questions: int
    num_samples: int
    both: int
    only_a: int
    only_b: int
    neither: int
    difference: float
    interval: Interval
    p: float
    wait_difference: tuple[float, Interval] | None
    rows_difference: tuple[float, Interval] | None

    @classmethod
    def of(cls, first: Sequence[Trial], second: Sequence[Trial]) -> Paired:
        """Hold the trials of A against those of B; InputError if they are of other questions."""
        a, b = _sorted(first), _sorted(second)
        _check(a, b)
        pairs = [(majority(x), majority(y)) for x, y in zip(a, b, strict=True)]
        deltas = np.array([_mean(x) - _mean(y) for x, y in zip(a, b, strict=True)])
        only_a, only_b = pairs.count((True, False)), pairs.count((False, True))
        return cls(
            num_questions=len(pairs),
            num_samples=len(a[0]),
            both=pairs.count((True, True)),
            only_a=only_a,
            only_b=only_b,
            neither=pairs.count((False, False)),
            difference=float(deltas.mean()),
            interval=bootstrap_mean(deltas, np.arange(len(deltas))),
            p=mcnemar(only_a, only_b),
            wait_difference=_difference(a, b, "wait_rows"),
            rows_difference=_difference(a, b, "num_rows"),
        )


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p of so many questions that only A, or only B, got right."""
    num = only_a + only_b
    tail = sum(comb(num, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * tail / (1 << num))


def _check(a: Sequence[Sequence[Trial]], b: Sequence[Sequence[Trial]]) -> None:
    golds_a = {question[0].id: question[0].gold for question in a}
    golds_b = {question[0].id: question[0].gold for question in b}
    if golds_a != golds_b:
        others = [i for i in golds_a | golds_b if golds_a.get(i) != golds_b.get(i)]
        raise InputError(
            "results", expected="the same questions on both sides",
            got=f"{len(others)} that differ, such as {others[0]!r}",
        )  # fmt: skip
    counts = {len(question) for question in (*a, *b)}
    if len(counts) > 1:
        raise InputError(
            "results", expected="as many samples of every question", got=sorted(counts)
        )


def _sorted(trials: Sequence[Trial]) -> list[list[Trial]]:
    """By question, in an order that does not depend on that of the trials."""
    return sorted(by_question(trials), key=lambda q: (isinstance(q[0].id, str), q[0].id))


def _mean(question: Sequence[Trial]) -> float:
    return sum(trial.is_right for trial in question) / len(question)


def _difference(
    a: Sequence[Sequence[Trial]], b: Sequence[Sequence[Trial]], field: str
) -> tuple[float, Interval] | None:
    """Mean over questions of a field of A minus that of B; None if nothing is known of both."""
    deltas = []
    for x, y in zip(a, b, strict=True):
        sides = [[v for t in q if (v := getattr(t, field)) is not None] for q in (x, y)]
        if all(sides):
            deltas.append(float(np.mean(sides[0]) - np.mean(sides[1])))
    if not deltas:
        return None
    values = np.array(deltas)
    return float(values.mean()), bootstrap_mean(values, np.arange(len(values)))
