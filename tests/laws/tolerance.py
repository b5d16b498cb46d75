"""How equal is equal, and how different is different: the only place that says so.

The same sums are taken in another order when rows are batched, chunked or decoded one by one.
float32 has 24 bits; logits of the tiny models reach about 10, so one rounding is 5e-7, and some
tens of them meet in a logit (measured: up to 1.1e-5). SAME leaves a factor of ten for other
processors. What a law says must arrive moves a logit by at least SEEN, a hundred times SAME, so
that a check that passes on "same" can't have been looking at noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

SAME = 1e-4
SEEN = 1e-2


def largest_difference(a: ArrayLike, b: ArrayLike) -> float:
    """Largest absolute difference; infinite if shapes differ or a value is not a number."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b), nan=np.inf).max(initial=0.0))


def assert_same(got: ArrayLike, expected: ArrayLike, what: str) -> None:
    """Equal but for the order of sums."""
    assert np.size(expected), f"{what}: nothing to compare"
    difference = largest_difference(got, expected)
    assert difference <= SAME, f"{what}: differs by {difference:.3g}"


def assert_identical(got: ArrayLike, expected: ArrayLike, what: str) -> None:
    """Bit for bit."""
    assert np.size(expected), f"{what}: nothing to compare"
    difference = largest_difference(got, expected)
    assert np.array_equal(got, expected), f"{what}: differs by {difference:.3g}"


def assert_seen(got: ArrayLike, unlike: ArrayLike, what: str) -> None:
    """Different, far beyond rounding."""
    difference = largest_difference(got, unlike)
    assert np.isfinite(difference), f"{what}: not comparable"
    assert difference >= SEEN, f"{what}: differs by only {difference:.3g}"
