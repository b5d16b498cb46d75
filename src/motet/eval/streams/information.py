"""What channels tell each other: how much worse one is predicted with another one hidden.

    loss of Output, all visible                    0.21 nats a spoken token
    loss of Output, Think replaced by silence      1.80                      Think tells it 1.59
    loss of Output, all others replaced            2.95                      together they tell 2.74

Hidden is not masked: the column is read as silence, which every multi-stream model knows, so that
this works with any runtime. The tokens that are predicted stay the same. Nats a token that is
spoken, end tokens included; intervals are 95 %, bootstrap over conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from motet.engine import Engine
from motet.eval.convmode import cross_entropy
from motet.eval.divergence import read
from motet.eval.intervals import Interval, bootstrap_mean
from motet.eval.passages import Passage
from motet.streams.grid import Tokens
from motet.streams.layout import Layout

__all__ = ["Told", "information_json", "information_table", "measure_information"]


@dataclass(frozen=True)
class Told:
    """What `channel` learns from the channels `hidden`: its loss without them minus with them.

    loss: with all channels visible, nats a spoken token. num_tokens: how many there were.
    """

    channel: str
    hidden: tuple[str, ...]
    num_tokens: int
    loss: float
    told: float
    interval: Interval


def measure_information(
    engine: Engine[Any], passages: Sequence[Passage], advance: Callable[[], None]
) -> list[Told]:
    """Every sampled channel against each other channel, and against all others together.

    Cells that are no targets do not count, and channels that say nothing are left out. `advance` is
    called after each passage.
    """
    layout = engine.codec.layout
    hidings = _hidings(layout)
    losses: dict[tuple[int, ...], list[NDArray[np.float64]]] = {hiding: [] for hiding in hidings}
    spoken: list[NDArray[np.bool_]] = []
    for passage in passages:
        counts_RC = passage.tokens_RC != engine.codec.silence_id
        if passage.learned_RC is not None:
            counts_RC = counts_RC & passage.learned_RC
        spoken.append(counts_RC[1:, layout.sampled_indices][passage.first_row :])
        for hiding in hidings:
            losses[hiding].append(_losses(engine, passage, hiding))
        advance()
    bunches_R = np.repeat(np.arange(len(passages)), [len(rows) for rows in spoken])
    speaks_RX = np.concatenate(spoken)
    joined = {hiding: np.concatenate(parts) for hiding, parts in losses.items()}
    return [
        _told(layout, column, hiding, joined, speaks_RX[:, column], bunches_R)
        for column, channel in enumerate(layout.sampled_indices)
        if speaks_RX[:, column].any()
        for hiding in hidings
        if hiding and channel not in hiding
    ]


def information_table(found: Sequence[Told]) -> Table:
    """A line for each pair, and for all others together."""
    table = Table(box=None, pad_edge=False)
    names = ("channel", "loss", "without", "tells it", "95 %", "tokens")
    for name in names:
        left = name in ("channel", "without")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    before = ""
    for told in found:
        is_new = told.channel != before
        before = told.channel
        table.add_row(
            told.channel if is_new else "",
            f"{told.loss:.3f}" if is_new else "",
            ", ".join(told.hidden),
            f"{told.told:+.3f}",
            f"{told.interval.low:+.3f} to {told.interval.high:+.3f}",
            str(told.num_tokens) if is_new else "",
        )
    return table


def information_json(found: Sequence[Told]) -> list[dict[str, Any]]:
    """All of it, unrounded."""
    return [
        {
            "channel": told.channel,
            "hidden": list(told.hidden),
            "n_tokens": told.num_tokens,
            "loss": told.loss,
            "told": told.told,
            "interval_95": list(told.interval),
        }
        for told in found
    ]


def _hidings(layout: Layout) -> list[tuple[int, ...]]:
    """Sets of columns to hide: none, each alone, and for each sampled channel all others."""
    columns = range(layout.num_channels)
    alone = [tuple(c for c in columns if c != kept) for kept in layout.sampled_indices]
    return list(dict.fromkeys([(), *((column,) for column in columns), *alone]))


def _losses(engine: Engine[Any], passage: Passage, hidden: Sequence[int]) -> NDArray[np.float64]:
    """Loss [R, sampled channels] of the passage's own tokens while `hidden` columns are silent."""
    layout, sampled = engine.codec.layout, engine.codec.layout.sampled_indices
    assert engine.codec.silence_id is not None, "a model of several channels has silence"
    seen_RC: Tokens = passage.tokens_RC.copy()
    seen_RC[len(layout.opening_RC()) :, list(hidden)] = engine.codec.silence_id
    targets_RX = passage.tokens_RC[1:, sampled]
    parts, start = [], 0
    for logits in read(engine.runtime, Passage(seen_RC, passage.first_row),
                       engine.codec.vocab_size):  # fmt: skip
        targets = targets_RX[start : start + len(logits)]
        flat = cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.ravel())
        parts.append(flat.reshape(targets.shape))
        start += len(logits)
    return np.concatenate(parts)[passage.first_row :]


def _told(
    layout: Layout,
    column: int,
    hiding: tuple[int, ...],
    losses: dict[tuple[int, ...], NDArray[np.float64]],
    speaks_R: NDArray[np.bool_],
    bunches_R: NDArray[np.int64],
) -> Told:
    full_N = losses[()][speaks_R, column]
    more_N = losses[hiding][speaks_R, column] - full_N
    return Told(
        channel=layout.names[layout.sampled_indices[column]],
        hidden=tuple(layout.names[index] for index in hiding),
        num_tokens=int(speaks_R.sum()),
        loss=float(full_N.mean()),
        told=float(more_N.mean()),
        interval=bootstrap_mean(more_N, bunches_R[speaks_R]),
    )
