"""Logits to a token id, one cell at a time.

The random number of a cell depends on nothing but the seed, the row and the channel (Philox, a
counter-based generator). So the same seed gives the same grid whatever shares the batch, and a
session that was rewound, forked or saved goes on exactly as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from motet.engine.settings import Sampling
from motet.errors import SessionError
from motet.protocol.row import RowLogprobs

BLOCK_ROWS = 64
GROUP_TOKENS = 64

Logits = NDArray[np.float32]


class Dice:
    """Uniform numbers in [0, 1) for every (row, channel) of one session."""

    def __init__(self, seed: int, num_channels: int) -> None:
        self._seed = seed
        self._num_channels = num_channels
        self._block_index = -1
        self._block_RC = np.empty((0, num_channels))

    def roll(self, row: int, channel: int) -> float:
        """The number of cell (row, channel)."""
        index = row // BLOCK_ROWS
        if index != self._block_index:
            bits = np.random.Philox(key=np.array([self._seed, index], dtype=np.uint64))
            self._block_RC = np.random.Generator(bits).random((BLOCK_ROWS, self._num_channels))
            self._block_index = index
        return float(self._block_RC[row % BLOCK_ROWS, channel])


def penalise_repetition(logits_V: Logits, said: Collection[int], penalty: float) -> Logits:
    """Make tokens that were already said less likely (the rule of CTRL, arXiv:1909.05858)."""
    if penalty == 1.0 or not said:
        return logits_V
    ids = np.fromiter(said, dtype=np.int64)
    logits_V = logits_V.copy()
    chosen = logits_V[ids]
    with np.errstate(over="ignore"):  # of both products one is thrown away
        logits_V[ids] = np.where(chosen > 0, chosen / penalty, chosen * penalty)
    return logits_V


def penalise_silence(logits_V: Logits, silence_id: int, penalty: float) -> Logits:
    """Take `penalty` off the silence logit."""
    if penalty == 0.0:
        return logits_V
    logits_V = logits_V.copy()
    logits_V[silence_id] -= penalty
    return logits_V


def penalise_presence(
    logits_V: Logits, drawn: Mapping[int, int], presence: float, frequency: float
) -> Logits:
    """Take `presence` off the logits of tokens that were sampled, and `frequency` for each time."""
    if not drawn or (presence == 0.0 and frequency == 0.0):
        return logits_V
    ids = np.fromiter(drawn.keys(), np.int64, len(drawn))
    counts = np.fromiter(drawn.values(), np.float32, len(drawn))
    logits_V = logits_V.copy()
    logits_V[ids] -= presence + frequency * counts
    return logits_V


def forbid(logits_V: Logits, token_id: int) -> Logits:
    """Make a token impossible."""
    logits_V = logits_V.copy()
    logits_V[token_id] = -np.inf
    return logits_V


def logprobs_of(logits_V: Logits, token_id: int, num_top: int) -> RowLogprobs:
    """Logprobs of a token and of the `num_top` likeliest, of the model's own distribution."""
    highest = logits_V.max()
    total = float(highest) + float(np.log(np.exp(logits_V - highest, dtype=np.float64).sum()))
    ids, logits = _top_k(logits_V, min(num_top, len(logits_V))) if num_top else ((), ())
    top = tuple((int(id_), float(logit) - total) for id_, logit in zip(ids, logits, strict=True))
    return RowLogprobs(float(logits_V[token_id]) - total, top)


def check_finite(highest: np.float32) -> None:
    """SessionError if the highest logit shows that they are no numbers to sample from."""
    if not math.isfinite(highest):
        raise SessionError(
            "logits", expected="finite numbers", got=highest,
            fix="check the weights, or compute in float32",
        )  # fmt: skip


def sample(logits_V: Logits, sampling: Sampling, uniform: float) -> int:
    """Draw a token id; `uniform` in [0, 1) decides. Ties go to the lower id."""
    check_finite(logits_V.max())
    if sampling.temperature == 0.0:
        return int(np.argmax(logits_V))
    ids, logits = _top_k(logits_V, sampling.top_k)
    with np.errstate(over="ignore"):  # next to nothing, divided by a tiny temperature
        scaled = (logits.astype(np.float64) - logits[0]) / sampling.temperature
    probabilities = np.exp(scaled)
    probabilities /= probabilities.sum()
    kept = _nucleus_size(probabilities, sampling.top_p)
    kept = min(kept, int(np.sum(probabilities >= sampling.min_p * probabilities[0])))
    kept = min(kept, int(np.count_nonzero(probabilities)))
    cumulative = np.cumsum(probabilities[:kept])
    drawn = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    return int(ids[min(drawn, kept - 1)])


def _top_k(logits_V: Logits, k: int) -> tuple[NDArray[np.int64], Logits]:
    """The k likeliest ids (all if k is 0) and their logits, likeliest first, then lower id."""
    if 0 < k < logits_V.shape[0]:
        candidates = np.flatnonzero(logits_V >= _exceeded_by(logits_V, k))
    else:
        k, candidates = logits_V.shape[0], np.arange(logits_V.shape[0])
    order = np.argsort(-logits_V[candidates], kind="stable")[:k]
    ids = candidates[order]
    return ids, logits_V[ids]


def _exceeded_by(logits_V: Logits, k: int) -> np.float32:
    """A logit that at least k tokens reach: the k-th largest of the maxima of small groups.

    Of a large vocabulary that is ten times as fast as finding the k-th largest logit itself.
    """
    num_groups = logits_V.shape[0] // GROUP_TOKENS
    if num_groups > k:
        grouped = logits_V[: num_groups * GROUP_TOKENS].reshape(GROUP_TOKENS, num_groups)
        logits_V = grouped.max(axis=0)
    threshold: np.float32 = np.partition(logits_V, -k)[-k]
    return threshold


def _nucleus_size(probabilities: NDArray[np.float64], top_p: float) -> int:
    """How many of the likeliest tokens make up at least `top_p` (always one)."""
    if top_p >= 1.0:
        return len(probabilities)
    return int(np.searchsorted(np.cumsum(probabilities), top_p)) + 1
