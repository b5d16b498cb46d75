"""The measurement: intervals, and what counts as a right answer."""

from __future__ import annotations

import pytest

from motet.data.tiny.lines import Task
from motet.eval.answers import Attempt
from motet.eval.intervals import wilson
from motet.train.tiny.heldout import FAMILIES, main, tasks_of


def attempt(output: str) -> Attempt:
    task = Task("47 + 38?", (), "It is 85.", "85", "sum", "test")
    return Attempt(task, {"Output": output}, ended=True)


@pytest.mark.parametrize(
    ("output", "is_right"),
    [
        ("It is 85.", True),
        ("47+38 = 85.", True),
        ("It is 185.", False),
        ("85 or 86.", False),
        ("", False),
    ],
)
def test_the_last_number_counts(output: str, is_right: bool) -> None:
    assert attempt(output).is_right is is_right


def test_wilson_intervals() -> None:
    assert wilson(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_text_answers_are_contained() -> None:
    task = Task("Spell ab backwards.", (), "It is b-a.", "b-a", "letters", "reverse")
    assert Attempt(task, {"Output": "ab reversed is b-a."}, ended=True).is_right
    assert not Attempt(task, {"Output": "a-b."}, ended=True).is_right


@pytest.mark.parametrize("family", [None, *FAMILIES])
def test_tasks_are_fixed_by_family_and_seed(family: str | None) -> None:
    tasks = tasks_of(family, 5, 1)
    assert tasks == tasks_of(family, 5, 1)
    assert tasks != tasks_of(family, 5, 2)
    if family is not None:
        assert {"story": "problem", "gsm8k": "problem"}.get(family, family) == tasks[0].family


def test_an_unknown_model_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-model", "--num-problems", "1"]) == 2
    assert "error: " in capsys.readouterr().err
