"""The products that a step can't do without, counted from the shapes of the weights.

    forward     cells x dense weights + pairs of cells that attend x heads + targets x head
    backward    twice the forward: for each product one for its input and one for its weight
    LongCE      a forward over the columns that have targets

What a program does beyond that (computing activations or logits again, masks, norms, the optimizer)
is not counted, so the time that these products take alone is a limit that no program can beat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from motet.formats.hyperparameters import Hyperparameters
from motet.formats.names import EMBEDDING
from motet.train.speed.setting import Setting

__all__ = ["StepWork", "step_work"]

_EXPERTS = "_exps.weight"


@dataclass(frozen=True)
class StepWork:
    """Multiply-adds of one step, with every channel hidden in the counterfactual."""

    forward: int
    counterfactual: int

    @property
    def plain(self) -> int:
        """Of a step without LongCE."""
        return 3 * self.forward

    @property
    def long(self) -> int:
        """Of a step with LongCE."""
        return self.plain + self.counterfactual

    @property
    def ratio(self) -> float:
        """How many times a step without LongCE one with it costs, if only products cost."""
        return self.long / self.plain


def step_work(setting: Setting) -> StepWork:
    """The products of a step of this setting."""
    numbers, layout = setting.numbers, setting.layout
    C, S = layout.num_channels, len(layout.sampled_indices)
    per_cell, head = _weights_of_a_cell(numbers), numbers.vocab_size * numbers.width
    pairs, own_pairs = 0, 0
    for R in setting.conversation_rows:
        pairs += setting.num_lines * (C * C * R * (R - 1) // 2 + C * R)
        own_pairs += setting.num_lines * S * R * (R + 1) // 2
    per_pair = 2 * numbers.num_heads * numbers.head_width * _num_attention_layers(numbers)
    num_rows, targets = setting.num_lines * setting.num_rows, setting.num_targets
    return StepWork(
        forward=num_rows * C * per_cell + pairs * per_pair + targets * head,
        counterfactual=num_rows * S * per_cell + own_pairs * per_pair + targets * head,
    )


def _weights_of_a_cell(numbers: Hyperparameters) -> int:
    """Weights that one cell is multiplied with: all matrices but embedding and idle experts."""
    total = 0
    for name, shape in numbers.shapes().items():
        if name == EMBEDDING or len(shape) < 2:
            continue
        size = math.prod(shape)
        if name.endswith(_EXPERTS):
            size = size // numbers.num_experts * numbers.num_active_experts
        total += size
    return total


def _num_attention_layers(numbers: Hyperparameters) -> int:
    return sum(1 for G in numbers.num_kv_heads if G)
