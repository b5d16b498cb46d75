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
from motet.streams.grid import TOKEN_DTYPE, Tokens
from motet.streams.layout import ConvMode

MIN_TOKENS = 2
BLOCK_ROWS = 128  # logits of more rows at once would fill the memory


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
    """Cross-entropy in nats of every token of `text`, spoken on the Output channel.

    Raises InputError if the text has fewer than two tokens to predict, or does not fit.
    """
    layout = runtime.layout
    opening = layout.opening_RC()
    ids = codec.encode(text)
    first = max(len(opening), 1)  # without an opening nothing predicts the first token
    tokens_RC = np.full(
        (len(opening) + len(ids), layout.num_channels), codec.silence_id or 0, TOKEN_DTYPE
    )
    tokens_RC[: len(opening)] = opening
    tokens_RC[len(opening) :, layout.output_index] = ids
    num_targets = len(tokens_RC) - first
    if num_targets < MIN_TOKENS or len(tokens_RC) > runtime.context_rows:
        most = runtime.context_rows - len(opening)
        raise InputError("text", expected=f"{MIN_TOKENS} to {most} tokens", got=len(ids))
    state = runtime.open(len(tokens_RC))
    losses: list[NDArray[np.float64]] = []
    for start in range(0, len(tokens_RC) - 1, BLOCK_ROWS):
        block_RC = tokens_RC[:-1][start : start + BLOCK_ROWS]
        (logits_R1V,) = runtime.forward(
            [state], [block_RC], wanted=Wanted.ALL, channels=[layout.output_index]
        )
        targets_R = tokens_RC[start + 1 : start + 1 + len(block_RC), layout.output_index]
        losses.append(cross_entropy(logits_R1V[:, 0], targets_R))
    return np.concatenate(losses)[first - 1 :]


def cross_entropy(logits_RV: NDArray[np.float32], targets_R: Tokens) -> NDArray[np.float64]:
    """Loss [R] in nats of one target a row."""
    logits = logits_RV.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    normaliser = np.log(np.exp(logits).sum(axis=-1))
    losses: NDArray[np.float64] = normaliser - logits[np.arange(len(targets_R)), targets_R]
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
