"""How far a model's predictions lie from a reference's, on the same rows.

    KL(reference || model) = sum over tokens of p (log p - log q)      nats, for each predicted cell

A cell's prediction is what its row says about the next token of its channel. Both models read the
same tokens, so nothing that one of them says leads them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
MOST_KEPT_BYTES = 1 << 30

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


class Reference:
    """What a runtime predicts for passages; kept, so that it is computed once, as far as it fits.

    num_tokens: of the vocabulary, those that the tokenizer knows; others can't be said.
    """

    def __init__(
        self, runtime: Runtime[Any], num_tokens: int, max_bytes: int = MOST_KEPT_BYTES
    ) -> None:
        self.runtime = runtime
        self.num_tokens = num_tokens
        self._room_bytes = max_bytes
        self._kept: dict[int, tuple[Passage, list[Logits]]] = {}

    def logits(self, passage: Passage) -> Iterable[Logits]:
        """As `read` gives them."""
        if id(passage) in self._kept:
            return self._kept[id(passage)][1]
        blocks = read(self.runtime, passage, self.num_tokens)
        num_cells = len(passage.tokens_RC) * len(self.runtime.layout.sampled_indices)
        num_bytes = num_cells * self.runtime.vocab_size * np.dtype(np.float32).itemsize
        if num_bytes > self._room_bytes:
            return blocks
        self._room_bytes -= num_bytes
        self._kept[id(passage)] = passage, list(blocks)
        return self._kept[id(passage)][1]


def read(runtime: Runtime[Any], passage: Passage, num_tokens: int) -> Iterator[Logits]:
    """Logits [n, sampled channels, num_tokens] of all rows but the last, in blocks of rows."""
    sampled = runtime.layout.sampled_indices
    rows_RC = passage.tokens_RC[:-1]
    num_rows = max(1, min(BLOCK_ROWS, BLOCK_LOGITS // (runtime.vocab_size * len(sampled))))
    state = runtime.open(len(rows_RC))
    for start in range(0, len(rows_RC), num_rows):
        block_RC = rows_RC[start : start + num_rows]
        (logits,) = runtime.forward([state], [block_RC], wanted=Wanted.ALL, channels=sampled)
        yield logits[..., :num_tokens]


def compare(
    reference: Reference,
    model: Runtime[Any],
    passages: Sequence[Passage],
    advance: Callable[[], None],
) -> Cells:
    """Hold the predictions of `model` against the reference's; `advance` is called per passage.

    Raises CheckpointError if a prediction is not finite.
    """
    layout = model.layout
    silence_id = None if layout.silence is None else layout.silence.id
    divergence, agrees, speaks, lengths = [], [], [], []
    for passage in passages:
        pairs = zip(
            reference.logits(passage), read(model, passage, reference.num_tokens), strict=True
        )
        found = [(kl_divergence(p, q), p.argmax(-1) == q.argmax(-1)) for p, q in pairs]
        counted = slice(passage.first_row, None)
        divergence.append(np.concatenate([kl for kl, _ in found])[counted].ravel())
        agrees.append(np.concatenate([same for _, same in found])[counted].ravel())
        said_RC = passage.tokens_RC[1:, layout.sampled_indices]
        speaks.append((said_RC[counted] != silence_id).ravel())
        lengths.append(len(divergence[-1]))
        advance()
    return Cells(
        divergence_N=np.concatenate(divergence),
        agrees_N=np.concatenate(agrees),
        speaks_N=np.concatenate(speaks),
        passage_N=np.repeat(np.arange(len(passages)), lengths),
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
