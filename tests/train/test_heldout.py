"""The measurement: intervals, and what counts as a right answer."""

from __future__ import annotations

import pytest

from motet.data.tiny.lines import Task
from motet.train.heldout import Attempt, main, wilson


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


def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["motet-tiny", "many", "1"]) == 2
    assert "expected MODEL NUM_PROBLEMS SEED" in capsys.readouterr().err
