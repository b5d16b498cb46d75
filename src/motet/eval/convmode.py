"""Which conv mode fits a checkpoint that does not say: the loss of a text under each of them.

The text stands on the Output channel, one token a row, the other channels silent. The mode that a
model was trained with predicts it better. A difference within two standard errors decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.errors import InputError
from motet.runtime.protocol import Runtime, Wanted
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE
from motet.streams.layout import ConvMode


@dataclass(frozen=True)
class ConvModeVerdict:
    """Mean loss (nats a token) per mode over `num_tokens`, and the mode that fits.

    difference: loss of the other mode minus loss of the best one, with its standard error (paired
    over tokens). fits: None if the difference is within two standard errors.
    """

    losses: dict[ConvMode, float]
    num_tokens: int
    difference: float
    standard_error: float
    fits: ConvMode | None


def output_losses(runtime: Runtime[Any], codec: StreamCodec, text: str) -> NDArray[np.float64]:
    """Cross-entropy in nats of every token of `text`, spoken on the Output channel."""
    layout = runtime.layout
    opening = layout.opening_RC()
    ids = codec.encode(text)
    start = max(len(opening), 1)  # without an opening nothing predicts the first token
    tokens = np.full(
        (len(opening) + len(ids), layout.num_channels), codec.silence_id or 0, TOKEN_DTYPE
    )
    tokens[: len(opening)] = opening
    tokens[len(opening) :, layout.output_index] = ids
    if len(tokens) - start < 2:
        raise InputError("text", expected="at least two tokens to measure", got=len(ids))
    state = runtime.open(len(tokens))
    (logits_RXV,) = runtime.forward(
        [state], [tokens], wanted=Wanted.ALL, channels=[layout.output_index]
    )
    logits = logits_RXV[start - 1 : -1, 0].astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    log_normaliser = np.log(np.exp(logits).sum(axis=-1))
    targets = tokens[start:, layout.output_index]
    losses: NDArray[np.float64] = log_normaliser - logits[np.arange(len(targets)), targets]
    return losses


def judge(losses: dict[ConvMode, NDArray[np.float64]]) -> ConvModeVerdict:
    """Compare the losses of the same tokens under both modes."""
    means = {mode: float(values.mean()) for mode, values in losses.items()}
    best, other = sorted(means, key=means.__getitem__)
    differences = losses[other] - losses[best]
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    difference = float(differences.mean())
    return ConvModeVerdict(
        losses=means,
        num_tokens=len(differences),
        difference=difference,
        standard_error=error,
        fits=best if difference > 2 * error else None,
    )
