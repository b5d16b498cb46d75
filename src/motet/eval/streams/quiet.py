"""Is a model quiet when there is nothing to say: before anybody has spoken to it?

    rows of silence, as they open a session     every cell's chance of silence, given all before
    P(quiet) = product over rows and channels

This is exact, nothing is drawn: what the model itself gives to silence, before any sampling knob. A
greedy sampler is quiet if silence is the likeliest token of every cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motet.engine import Engine
from motet.errors import InputError
from motet.eval.convmode import cross_entropy
from motet.eval.divergence import read
from motet.eval.passages import Passage
from motet.streams.grid import TOKEN_DTYPE

QUIET_ROWS = 64


@dataclass(frozen=True)
class Quiet:
    """probability: that nobody says anything in `num_rows` rows.

    first_row: the first of them in which a greedy sampler speaks; None if silence is likeliest in
    every cell.
    """

    num_rows: int
    probability: float
    first_row: int | None


def measure_quiet(engine: Engine[Any], num_rows: int = QUIET_ROWS) -> Quiet:
    """Read `num_rows` rows of silence after the opening; InputError without a silence token."""
    layout, silence_id = engine.codec.layout, engine.codec.silence_id
    if silence_id is None:
        raise InputError("model", expected="one with a silence token", got="none")
    opening_RC = layout.opening_RC()
    silent_RC = np.full((num_rows, layout.num_channels), silence_id, TOKEN_DTYPE)
    passage = Passage(np.concatenate([opening_RC, silent_RC]), first_row=len(opening_RC) - 1)
    blocks = list(read(engine.runtime, passage, engine.codec.vocab_size))
    logits_RXV = np.concatenate(blocks)[passage.first_row :]
    flat_NV = logits_RXV.reshape(-1, logits_RXV.shape[-1])
    losses_N = cross_entropy(flat_NV, np.full(len(flat_NV), silence_id, TOKEN_DTYPE))
    speaks_R = (logits_RXV.argmax(axis=-1) != silence_id).any(axis=-1)
    first = int(speaks_R.argmax()) if speaks_R.any() else None
    return Quiet(num_rows, float(np.exp(-losses_N.sum())), first)
