"""A batch: what the collator makes of conversations and the objective learns from.

A plain dictionary of tensors, so that transformers and accelerate move it to a device as they
move their own.
"""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

__all__ = ["Batch"]


class Batch(TypedDict):
    """B lines of R rows, each holding one conversation or several.

    tokens_BRC: int64. weights_BRC: float32, how much each cell counts as a target of the row
    before it; 0 is no target: input channels, first rows, padding, what is not to be learned.
    conversations_BR: int64, the number of the conversation that a row belongs to; rows of one
    number stand together, and -1 is padding.
    """

    tokens_BRC: Tensor
    weights_BRC: Tensor
    conversations_BR: Tensor
