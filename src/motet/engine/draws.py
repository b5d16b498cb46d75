"""Draws for many cells at once: the ids that `sample` gives one by one, in a few array operations.

A step of 64 sessions draws 192 cells. One by one, that takes longer than a small model's forward.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.engine.sampling import GROUP_TOKENS, Logits
from motet.engine.settings import Sampling

__all__ = ["Wish", "draw_many", "sample_many"]

MIN_CELLS = 4  # fewer are drawn as fast one by one
MAX_LOGITS = 1 << 22  # at once


@dataclass(frozen=True, eq=False)
class Wish:
    """A cell to be drawn: logits after all penalties, and the random number that decides."""

    logits_V: Logits
    sampling: Sampling
    uniform: float


def draw_many(wishes: Sequence[Wish]) -> list[int | None]:
    """An id for each wish; None where `sample` has to be asked: for what is rare, or wrong."""
    drawn: list[int | None] = [None] * len(wishes)
    alike: defaultdict[tuple[Sampling, int], list[int]] = defaultdict(list)
    for place, wish in enumerate(wishes):
        V = len(wish.logits_V)
        if wish.sampling.temperature > 0.0 and 0 < wish.sampling.top_k < V:
            alike[wish.sampling, V].append(place)
    for (sampling, V), all_places in alike.items():
        for places in _pieces(all_places, max(MIN_CELLS, MAX_LOGITS // V)):
            logits_NV = np.stack([wishes[place].logits_V for place in places])
            is_finite_N = np.isfinite(logits_NV.max(axis=1))
            if not is_finite_N.all():
                places = [place for place, is_finite in zip(places, is_finite_N, strict=True)
                          if is_finite]  # fmt: skip
                logits_NV = logits_NV[is_finite_N]
            uniform_N = np.array([wishes[place].uniform for place in places])
            ids_N = sample_many(logits_NV, sampling, uniform_N).tolist() if places else []
            for place, token_id in zip(places, ids_N, strict=True):
                drawn[place] = token_id
    return drawn


def sample_many(
    logits_NV: Logits, sampling: Sampling, uniform_N: NDArray[np.float64]
) -> NDArray[np.int64]:
    """`sample` of every row of finite logits, for a temperature and a top-k below V."""
    ids_NK, logits_NK = _top_k(logits_NV, sampling.top_k)
    with np.errstate(over="ignore"):  # next to nothing, divided by a tiny temperature
        scaled_NK = (logits_NK.astype(np.float64) - logits_NK[:, :1]) / sampling.temperature
    probabilities_NK = np.exp(scaled_NK)
    probabilities_NK /= probabilities_NK.sum(axis=1, keepdims=True)
    cumulative_NK = np.cumsum(probabilities_NK, axis=1)
    is_kept_NK = probabilities_NK >= sampling.min_p * probabilities_NK[:, :1]
    kept_N = np.minimum(is_kept_NK.sum(axis=1), np.count_nonzero(probabilities_NK, axis=1))
    if sampling.top_p < 1.0:
        kept_N = np.minimum(kept_N, (cumulative_NK < sampling.top_p).sum(axis=1) + 1)
    rows_N = np.arange(len(kept_N))
    target_N = uniform_N * cumulative_NK[rows_N, kept_N - 1]
    drawn_N = (cumulative_NK <= target_N[:, None]).sum(axis=1)
    found_N: NDArray[np.int64] = ids_NK[rows_N, np.minimum(drawn_N, kept_N - 1)]
    return found_N


def _top_k(logits_NV: Logits, k: int) -> tuple[NDArray[np.int64], Logits]:
    """The k likeliest ids of every row and their logits, likeliest first, then lower id."""
    N, V = logits_NV.shape
    num_groups = V // GROUP_TOKENS
    bounds_NX = logits_NV
    if num_groups > k:  # the maxima of small groups: at least k tokens reach their k-th
        grouped = logits_NV[:, : num_groups * GROUP_TOKENS]
        bounds_NX = grouped.reshape(N, GROUP_TOKENS, num_groups).max(axis=1)
    threshold_N = np.partition(bounds_NX, -k, axis=1)[:, -k]
    rows, ids = np.divmod(np.flatnonzero(logits_NV >= threshold_N[:, None]), V)
    counts_N = np.bincount(rows, minlength=N)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts_N) - counts_N, counts_N)
    found_NM = np.full((N, int(counts_N.max())), -np.inf, np.float32)
    ids_NM = np.zeros(found_NM.shape, np.int64)
    found_NM[rows, places], ids_NM[rows, places] = logits_NV[rows, ids], ids
    order_NK = np.argsort(-found_NM, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(ids_NM, order_NK, 1), np.take_along_axis(found_NM, order_NK, 1)


def _pieces(places: list[int], size: int) -> Iterator[list[int]]:
    """Pieces of at most `size`; what is too few to be worth it is left out."""
    if len(places) >= MIN_CELLS:
        yield from (places[start : start + size] for start in range(0, len(places), size))
