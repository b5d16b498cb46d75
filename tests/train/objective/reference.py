"""The objective, slowly: one target at a time, in float64, from the formulas alone.

    total = sum_i a_i (mix + (1 - mix) w_i) CE_i / sum_i a_i,   w = min(exp(CE_self - CE), gamma)

Cross-entropies come from the slow transformer in `tests.runtime.reference`. Nothing is shared with
`motet.train.objective` but the names of the knobs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motet.data.token_grid import TokenGrid
from motet.streams.layout import Layout
from motet.train.objective import ObjectiveConfig
from tests.runtime.reference import Array, Reference


@dataclass
class SlowTarget:
    conversation: int
    channel: int
    token: int
    is_spoken: bool
    a: float
    full: float
    own: float
    w: float = 1.0


def cross_entropy(logits_V: Array, token: int) -> float:
    top = float(logits_V.max())
    return top + math.log(sum(math.exp(x - top) for x in logits_V)) - float(logits_V[token])


def own_logits(
    reference: Reference, tokens_RC: NDArray[np.int32], channel: int, hidden: set[int]
) -> Array:
    """Logits [R, V] of `channel` when the `hidden` channels are hidden from all others.

    All hidden: by the mask, each cell attending only to its own channel. Some: by leaving the
    hidden columns out of the grid.
    """
    num_channels = tokens_RC.shape[1]
    if hidden == set(range(num_channels)) and not reference.row_boundary:
        return replace(reference, alone=True).logits(tokens_RC)[:, channel]
    left = [c for c in range(num_channels) if c == channel or c not in hidden]
    part = replace(reference, channel_embedding_CD=reference.channel_embedding_CD[left])
    return part.logits(tokens_RC[:, left])[:, left.index(channel)]


def slow_targets(
    reference: Reference, grids: Sequence[TokenGrid], layout: Layout, config: ObjectiveConfig
) -> list[SlowTarget]:
    assert layout.silence is not None
    names = layout.names if config.hidden is None else config.hidden
    hidden = {layout.index(name) for name in names}
    targets = []
    for number, grid in enumerate(grids):
        full_RCV = reference.logits(grid.tokens_RC)
        for c in layout.sampled_indices:
            own_RV = own_logits(reference, grid.tokens_RC, c, hidden)
            for r in range(1, grid.num_rows):
                token = int(grid.tokens_RC[r, c])
                is_learned = grid.learned_RC is None or bool(grid.learned_RC[r, c])
                a = 1.0 if grid.weights_RC is None else float(grid.weights_RC[r, c])
                a *= is_learned * (config.silence_weight if token == layout.silence.id else 1.0)
                if a > 0.0:
                    targets.append(
                        SlowTarget(
                            number,
                            c,
                            token,
                            token != layout.silence.id,
                            a,
                            full=cross_entropy(full_RCV[r - 1, c], token),
                            own=cross_entropy(own_RV[r - 1], token),
                        )
                    )
    for t in targets:
        gain = t.own - t.full
        t.w = min(math.exp(max(gain, 0.0) if config.positive_only else gain), config.gamma)
    if config.mean_one:
        _make_mean_one(targets)
    return targets


def _make_mean_one(targets: list[SlowTarget]) -> None:
    for key in {(t.conversation, t.channel) for t in targets}:
        group = [t for t in targets if (t.conversation, t.channel) == key]
        mean = sum(t.a * t.w for t in group) / sum(t.a for t in group)
        for t in group:
            t.w /= mean


def slow_total(targets: Sequence[SlowTarget], config: ObjectiveConfig) -> float:
    share = config.mix
    weighted = sum(t.a * (share + (1.0 - share) * t.w) * t.full for t in targets)
    return weighted / sum(t.a for t in targets)
