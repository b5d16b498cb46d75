"""One conversation as tokens, as training reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.errors import DataError
from motet.streams.grid import TOKEN_DTYPE, Mask, Tokens

__all__ = ["TokenGrid"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenGrid:
    """tokens [R, C] int32; learned [R, C]: which cells are targets; weights [R, C]: how much so.

    learned is None where every cell of a sampled channel is, weights where all count 1; a weight
    counts only where the cell is learned. meta: JSON values, as tables have.
    """

    id: str
    tokens_RC: Tokens
    learned_RC: Mask | None = None
    weights_RC: NDArray[np.float32] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tokens = self.tokens_RC
        if tokens.ndim != 2 or tokens.dtype != TOKEN_DTYPE:
            got = f"{tokens.dtype} {list(tokens.shape)}"
            raise DataError(f"grid {self.id}: tokens", expected="int32 [R, C]", got=got)
        for name, array, kind in (
            ("learned", self.learned_RC, np.dtype(np.bool_)),
            ("weights", self.weights_RC, np.dtype(np.float32)),
        ):
            if array is not None and (array.dtype != kind or array.shape != tokens.shape):
                raise DataError(
                    f"grid {self.id}: {name}", expected=f"{kind} {list(tokens.shape)}",
                    got=f"{array.dtype} {list(array.shape)}",
                )  # fmt: skip

    @property
    def num_rows(self) -> int:
        """R."""
        return int(self.tokens_RC.shape[0])
