"""Intervals: by hand, and that values which come in bunches count as bunches."""

from __future__ import annotations

import numpy as np
import pytest

from motet.eval.intervals import of_mean, standard_error, wilson

VALUES = np.random.default_rng(0).exponential(size=40)
ALONE = np.arange(40)


def test_wilson_contains_the_share_and_stays_inside() -> None:
    assert wilson(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_values_that_come_alone_have_the_usual_standard_error() -> None:
    expected = VALUES.std(ddof=1) / np.sqrt(40)
    assert standard_error(VALUES, ALONE) == pytest.approx(expected)
    assert of_mean(VALUES, ALONE) == pytest.approx(
        (VALUES.mean() - 1.96 * expected, VALUES.mean() + 1.96 * expected)
    )


def test_saying_a_value_again_makes_nothing_surer() -> None:
    again, bunches = np.repeat(VALUES, 9), np.repeat(ALONE, 9)
    assert standard_error(again, bunches) == pytest.approx(standard_error(VALUES, ALONE))
    taken_as_new = standard_error(again, np.arange(len(again)))
    assert taken_as_new < 0.4 * standard_error(VALUES, ALONE)


def test_numbers_of_bunches_may_have_gaps() -> None:
    assert standard_error(VALUES, 7 * ALONE + 3) == pytest.approx(standard_error(VALUES, ALONE))
