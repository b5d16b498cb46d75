"""Embeddings of tokens, looked up on the host.

Most devices look up rows of a few types only, and a row is small beside what is computed with it.
So the table stays where the file is mapped; the numbers are those that ggml makes of its blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.device import backends
from motet.runtime.native.weights import Weight


class Embedding:
    """A table [V, D] of any type."""

    def __init__(self, weight: Weight) -> None:
        self._weight = weight
        self._blocks = weight.data.reshape(weight.shape[0], -1)
        traits = backends.type_traits(weight.type).contents
        self._to_float = backends.ToFloat(traits.to_float or 0)

    def of(self, tokens_T: NDArray[np.integer]) -> NDArray[np.float32]:
        """The rows of these tokens, [T, D]."""
        blocks = self._blocks[tokens_T]
        if self._weight.type is GGMLType.F32:
            floats: NDArray[np.float32] = blocks.view(np.float32)
            return floats
        rows = np.empty((len(tokens_T), self._weight.shape[1]), np.float32)
        self._to_float(blocks.ctypes.data, rows.ctypes.data, rows.size)
        return rows
