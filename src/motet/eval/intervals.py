"""95 % intervals: of a share, and of a mean over things that come in bunches."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Z = 1.96


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def wilson(num_hits: int, num_trials: int) -> Interval:
    """The 95 % interval of a share (E. B. Wilson, 1927)."""
    share, scale = num_hits / num_trials, 1 + _Z**2 / num_trials
    middle = (share + _Z**2 / (2 * num_trials)) / scale
    spread = share * (1 - share) / num_trials + _Z**2 / (4 * num_trials**2)
    half = _Z * sqrt(spread) / scale
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def standard_error(values_N: NDArray[np.float64], bunches_N: NDArray[np.int64]) -> float:
    """Standard error of the mean of values that come in bunches, at least two of them.

    Cells of one text resemble each other, so the texts are what is drawn independently: the
    deviations from the mean are summed within each text first (K.-Y. Liang and S. Zeger, 1986).
    """
    sums = np.bincount(bunches_N, weights=values_N - values_N.mean())
    sums = sums[np.unique(bunches_N)]
    num_bunches = len(sums)
    return float(np.sqrt((sums**2).sum() * num_bunches / (num_bunches - 1)) / len(values_N))


def of_mean(values_N: NDArray[np.float64], bunches_N: NDArray[np.int64]) -> Interval:
    """The normal 95 % interval of the mean of values that come in bunches."""
    mean, half = float(values_N.mean()), _Z * standard_error(values_N, bunches_N)
    return Interval(mean - half, mean + half)
