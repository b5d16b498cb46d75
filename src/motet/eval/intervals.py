"""95 % intervals: of a share, and of a mean over things that come in bunches."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Z = 1.96
_NUM_RESAMPLES = 2_000


class Interval(NamedTuple):
    """Lower and upper end."""

    low: float
    high: float


def wilson(num_hits: float, num_trials: float) -> Interval:
    """The 95 % interval of a share (E. B. Wilson, 1927); numbers may be effective ones."""
    share, scale = num_hits / num_trials, 1 + _Z**2 / num_trials
    middle = (share + _Z**2 / (2 * num_trials)) / scale
    spread = share * (1 - share) / num_trials + _Z**2 / (4 * num_trials**2)
    half = _Z * sqrt(spread) / scale
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def wilson_of_means(means_N: NDArray[np.float64], num_each: int) -> Interval:
    """The 95 % interval of the mean of N shares, each of `num_each` trials that resemble another.

    Wilson's for the effective number of trials, share * (1 - share) / variance of the mean (the
    design effect of L. Kish, 1965): N if all trials of a share are alike, N * num_each if they are
    independent. Unlike a bootstrap it does not shrink to a point where every trial is a hit.
    """
    share, num = float(means_N.mean()), len(means_N)
    most = num * num_each
    variance = float(means_N.var(ddof=1)) / num if num > 1 else 0.0
    effective = share * (1 - share) / variance if variance and 0 < share < 1 else 0.0
    num_effective = min(max(effective, num), most)
    return wilson(share * num_effective, num_effective)


def bootstrap_mean(values_N: NDArray[np.float64], bunches_N: NDArray[np.int64]) -> Interval:
    """The 95 % interval of the mean of values that come in bunches; `bunches_N` says of which.

    Cells of one text resemble each other, so what is drawn again and again is whole texts
    (percentile bootstrap over clusters). The draws are always the same.
    """
    _, places_N = np.unique(bunches_N, return_inverse=True)
    sums_G = np.bincount(places_N, weights=values_N)
    counts_G = np.bincount(places_N)
    num_bunches = len(counts_G)
    dice = np.random.default_rng(0)
    times_XG = dice.multinomial(num_bunches, np.full(num_bunches, 1 / num_bunches), _NUM_RESAMPLES)
    means_X = (times_XG @ sums_G) / (times_XG @ counts_G)
    low, high = np.quantile(means_X, [0.025, 0.975])
    return Interval(float(low), float(high))
