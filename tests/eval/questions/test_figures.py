"""Figures against slow references: shares, majorities, intervals, and McNemar by enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import InputError
from motet.eval.intervals import wilson, wilson_of_means
from motet.eval.questions.figures import Figures, by_question, majority
from motet.eval.questions.judging import Outcome
from motet.eval.questions.paired import Paired, mcnemar
from motet.eval.questions.report import figures_json, paired_json
from tests.eval.questions.samples import trial

RIGHT, WRONG = Outcome.RIGHT, Outcome.WRONG


def test_one_sample_each() -> None:
    trials = [trial(n, RIGHT if n < 3 else WRONG, wait_rows=n, num_rows=10 * n) for n in range(4)]
    trials += [trial(4, Outcome.MUTE, wait_rows=None), trial(5, Outcome.ENDLESS)]
    figures = Figures.of(trials)
    assert (figures.num_questions, figures.num_samples) == (6, 1)
    assert figures.accuracy.share == 0.5
    assert figures.accuracy.interval == wilson(3, 6)
    assert figures.ended.share == pytest.approx(5 / 6)
    assert figures.majority is figures.any_right is None
    assert {o.value: n for o, n in figures.outcomes.items() if n} == {
        "right": 3, "wrong": 1, "mute": 1, "endless": 1,
    }  # fmt: skip
    assert figures.wait_rows is not None
    assert (figures.wait_rows.num, figures.wait_rows.mean) == (5, pytest.approx(9 / 5))
    output, think = figures.voices["Output"], figures.voices["Think"]
    assert output.fill == pytest.approx(2 * 5 / (10 + 20 + 30 + 10 + 10))  # one has no rows
    assert (output.spoke.share, think.spoke.share, think.first_row) == (1.0, 0.0, None)
    assert figures_json(figures)["accuracy"]["n"] == 6


def test_rows_may_be_unknown() -> None:
    figures = Figures.of([trial(1, num_rows=None, wait_rows=None)])
    assert (figures.num_rows, figures.wait_rows, figures.voices) == (None, None, {})


def samples(*answers: str | None) -> list[Outcome]:
    return [RIGHT if answer == "7" else WRONG for answer in answers]


@pytest.mark.parametrize(
    ("answers", "is_right"),
    [
        (("7", "8", "7"), True),
        (("8", "7", "8"), False),
        (("8", "7"), False),  # a tie: the first that was said
        (("7", "8"), True),
        ((None, None, "7"), True),  # who says nothing has no vote
        ((None, None), False),
    ],
)
def test_majorities(answers: tuple[str | None, ...], is_right: bool) -> None:
    trials = [
        trial(1, outcome, sample=n, answer=answer)
        for n, (answer, outcome) in enumerate(zip(answers, samples(*answers), strict=True))
    ]
    assert majority(trials) is is_right


def test_several_samples() -> None:
    outcomes = {1: (RIGHT, RIGHT, WRONG), 2: (WRONG, WRONG, RIGHT), 3: (WRONG,) * 3}
    trials = [
        trial(id_, outcome, sample=n, answer="7" if outcome is RIGHT else "8")
        for n in range(3)
        for id_ in outcomes
        for outcome in [outcomes[id_][n]]
    ]
    figures = Figures.of(trials)
    assert figures.accuracy.share == pytest.approx(3 / 9)
    assert figures.majority is not None
    assert figures.any_right is not None
    assert figures.majority.share == pytest.approx(1 / 3)
    assert figures.any_right.share == pytest.approx(2 / 3)
    assert [[t.sample for t in question] for question in by_question(trials)] == [[0, 1, 2]] * 3


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30))
def test_intervals_of_averages_lie_between_two_wilson_intervals(hits: list[int]) -> None:
    """As sure as all trials if they are independent, and as only the questions if they are not."""
    low, high = wilson_of_means(np.array(hits) / 4, 4)
    narrow, wide = wilson(sum(hits), 4 * len(hits)), wilson(sum(hits) / 4, len(hits))
    assert wide.low - 1e-9 <= low <= narrow.low + 1e-9
    assert narrow.high - 1e-9 <= high <= wide.high + 1e-9


def test_samples_that_are_all_alike_make_nothing_surer() -> None:
    once = np.array([1.0, 0.0, 1.0, 1.0] * 5)
    assert wilson_of_means(once, 9) == pytest.approx(wilson(15, 20), abs=0.01)
    assert wilson_of_means(np.ones(20), 9) == wilson(20, 20)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (3, 3), (2, 7), (9, 1)])
def test_mcnemar_is_what_coins_do(only_a: int, only_b: int) -> None:
    """Of all throws of b + c coins: how many lie as far from the middle, on either side."""
    num = only_a + only_b
    far = abs(only_a - only_b)
    throws = [sum(coins) for coins in product((0, 1), repeat=num)]
    as_far = sum(abs(2 * heads - num) >= far for heads in throws)
    assert mcnemar(only_a, only_b) == pytest.approx(as_far / len(throws))
    assert mcnemar(only_a, only_b) == mcnemar(only_b, only_a)


def test_a_pair_of_models() -> None:
    a = [trial(n, RIGHT if n < 6 else WRONG, wait_rows=2) for n in range(10)]
    b = [trial(n, RIGHT if n in (0, 1, 8) else WRONG, wait_rows=5) for n in range(10)]
    paired = Paired.of(a, b[::-1])
    assert (paired.both, paired.only_a, paired.only_b, paired.neither) == (2, 4, 1, 3)
    assert paired.difference == pytest.approx(0.3)
    assert paired.p == mcnemar(4, 1)
    assert paired.wait_difference == (pytest.approx(-3.0), pytest.approx((-3.0, -3.0)))
    low, high = paired.interval
    assert low < 0.3 < high
    assert Paired.of(a[::-1], b) == paired
    back = Paired.of(b, a)
    assert back.difference == pytest.approx(-0.3)
    assert back.interval == pytest.approx((-high, -low), abs=0.06)
    assert paired_json(paired)["mcnemar_p"] == paired.p


def test_pairing_makes_surer_than_two_intervals() -> None:
    """Where B is right A is, too: the difference is known well though the accuracies are not."""
    a = [trial(n, RIGHT if n % 2 == 0 or n == 1 else WRONG) for n in range(60)]
    b = [trial(n, RIGHT if n % 2 == 0 else WRONG) for n in range(60)]
    low, high = Paired.of(a, b).interval
    assert high - low < 0.08


@pytest.mark.parametrize(
    "other",
    [
        [trial(1)],
        [trial(1), trial(2, gold="9")],
        [trial(1), trial(3)],
        [trial(1), trial(2), trial(2, sample=1)],
    ],
)
def test_pairs_must_be_of_the_same_questions(other: list) -> None:
    with pytest.raises(InputError, match="results: expected"):
        Paired.of([trial(1), trial(2)], other)
