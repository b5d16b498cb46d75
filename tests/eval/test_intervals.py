"""Intervals: by hand, and that values which come in bunches count as bunches."""

from __future__ import annotations

import numpy as np
import pytest

from motet.eval.intervals import bootstrap_mean, wilson

VALUES = np.random.default_rng(0).exponential(size=80)
ALONE = np.arange(80)


def width(values: np.ndarray, bunches: np.ndarray) -> float:
    low, high = bootstrap_mean(values, bunches)
    return high - low


def test_wilson_contains_the_share_and_stays_inside() -> None:
    assert wilson(80, 100) == pytest.approx((0.7112, 0.8666), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0


def test_values_that_come_alone_have_about_the_normal_interval() -> None:
    half = 1.96 * VALUES.std(ddof=1) / np.sqrt(80)
    expected = VALUES.mean() - half, VALUES.mean() + half
    assert bootstrap_mean(VALUES, ALONE) == pytest.approx(expected, abs=0.2 * half)
    assert bootstrap_mean(VALUES, ALONE) == bootstrap_mean(VALUES, ALONE)


def test_saying_a_value_again_makes_nothing_surer() -> None:
    again, bunches = np.repeat(VALUES, 9), np.repeat(ALONE, 9)
    assert bootstrap_mean(again, bunches) == pytest.approx(bootstrap_mean(VALUES, ALONE))
    assert width(again, np.arange(len(again))) < 0.4 * width(VALUES, ALONE)


def test_long_bunches_count_by_their_length() -> None:
    values, bunches = np.array([1.0] * 99 + [0.0]), np.array([0] * 99 + [1])
    low, high = bootstrap_mean(values, bunches)
    assert (low, high) == (0.0, 1.0)
    assert bootstrap_mean(values, 3 + 5 * bunches) == (low, high)
    inside = bootstrap_mean(np.repeat([1.0, 0.0, 1.0], 50), np.repeat([0, 1, 2], 50))
    assert inside.low == 0.0 < inside.high == 1.0
