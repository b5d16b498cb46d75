"""How far a model's predictions lie from a reference's, on the same rows.

    KL(reference || model) = sum over tokens of p (log p - log q)      nats, for each predicted cell

A cell's prediction is what its row says about the next token of its channel. Both models read the
same tokens, so nothing that one of them says leads them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.eval.intervals import Interval, bootstrap_mean, wilson
from motet.eval.passages import Passage
from motet.runtime.protocol import Runtime, Wanted

BLOCK_ROWS = 64
BLOCK_LOGITS = 1 << 22  # of more at once the sums take too much memory

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Cells:
    """What was found at each of N predicted cells, over all passages in order.

    divergence_N: KL in nats. agrees_N: whether both models' likeliest token is the same. speaks_N:
    whether the token that came next says something. passage_N: which passage the cell is of.
    """

    divergence_N: NDArray[np.float64]
    agrees_N: NDArray[np.bool_]
    speaks_N: NDArray[np.bool_]
    passage_N: NDArray[np.int64]


@dataclass(frozen=True)
class Divergence:
    """Cells in a few numbers. KL in nats; agreement is the share of cells with the same top token.

    mean_interval, agreement_interval: 95 %, bootstrap over passages and Wilson over cells.
    spoken_mean: KL where the next token says something; None if none does.
    """

    num_passages: int
    num_cells: int
    num_spoken: int
    mean: float
    mean_interval: Interval
    median: float
    p99: float
    spoken_mean: float | None
    agreement: float
    agreement_interval: Interval

    @classmethod
    def of(cls, cells: Cells) -> Divergence:
        """The numbers of `cells`, which must come from at least two passages."""
        kl_N, num_cells = cells.divergence_N, len(cells.divergence_N)
        spoken = kl_N[cells.speaks_N]
        num_agreeing = int(cells.agrees_N.sum())
        return cls(
            num_passages=len(np.unique(cells.passage_N)),
            num_cells=num_cells,
            num_spoken=len(spoken),
            mean=float(kl_N.mean()),
            mean_interval=bootstrap_mean(kl_N, cells.passage_N),
            median=float(np.median(kl_N)),
            p99=float(np.quantile(kl_N, 0.99)),
            spoken_mean=float(spoken.mean()) if len(spoken) else None,
            agreement=num_agreeing / num_cells,
            agreement_interval=wilson(num_agreeing, num_cells),
        )


def compare(
    reference: Runtime[Any],
    model: Runtime[Any],
    passages: Sequence[Passage],
    num_tokens: int,
    advance: Callable[[], None],
) -> Cells:
    """Read all passages with both runtimes; `advance` is called after each.

    num_tokens: of the vocabulary, those that the tokenizer knows; others can't be said. Raises
    CheckpointError if a prediction is not finite.
    """
    found = []
    for passage in passages:
        found.append(_compare(reference, model, passage, num_tokens))
        advance()
    passage_N = np.repeat(np.arange(len(found)), [len(kl_N) for kl_N, _, _ in found])
    kl_N, agrees_N, speaks_N = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Cells(kl_N, agrees_N, speaks_N, passage_N)


Found = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]


def _compare(
    reference: Runtime[Any], model: Runtime[Any], passage: Passage, num_tokens: int
) -> Found:
    layout = reference.layout
    sampled = layout.sampled_indices
    read_RC, said_RC = passage.tokens_RC[:-1], passage.tokens_RC[1:, sampled]
    silence_id = None if layout.silence is None else layout.silence.id
    num_rows = max(1, min(BLOCK_ROWS, BLOCK_LOGITS // (reference.vocab_size * len(sampled))))
    states = [(runtime, runtime.open(len(read_RC))) for runtime in (reference, model)]
    kl, agrees = [], []
    for start in range(0, len(read_RC), num_rows):
        block_RC = read_RC[start : start + num_rows]
        expected, got = (
            runtime.forward([state], [block_RC], wanted=Wanted.ALL, channels=sampled)[0][
                ..., :num_tokens
            ]
            for runtime, state in states
        )
        kl.append(kl_divergence(expected, got))
        agrees.append(expected.argmax(axis=-1) == got.argmax(axis=-1))
    counted = slice(passage.first_row, None)
    return (
        np.concatenate(kl)[counted].ravel(),
        np.concatenate(agrees)[counted].ravel(),
        (said_RC[counted] != silence_id).ravel(),
    )


def kl_divergence(reference: Logits, model: Logits) -> NDArray[np.float64]:
    """KL in nats over the last dimension of two arrays of logits [..., V]; [...]."""
    p, q = _log_shares(reference), _log_shares(model)
    divergence: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(axis=-1)
    return np.maximum(divergence, 0.0)  # below 0 only by rounding


def _log_shares(logits: Logits) -> NDArray[np.float64]:
    if not np.isfinite(logits).all():
        raise CheckpointError("logits", expected="finite numbers", got="others")
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shares
