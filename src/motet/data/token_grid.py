"""One conversation as tokens, as training reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motet.errors import DataError
from motet.streams.grid import TOKEN_DTYPE, Mask, Tokens

__all__ = ["TokenGrid"]


@dataclass(frozen=True, slots=True, eq=False)
class TokenGrid:
    """tokens [R, C] int32; learned [R, C]: which cells are targets.

    learned is None where every cell of a sampled channel is. meta: JSON values, as tables have.
    """

    id: str
    tokens_RC: Tokens
    learned_RC: Mask | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tokens, learned = self.tokens_RC, self.learned_RC
        if tokens.ndim != 2 or tokens.dtype != TOKEN_DTYPE:
            got = f"{tokens.dtype} {list(tokens.shape)}"
            raise DataError(f"grid {self.id}: tokens", expected="int32 [R, C]", got=got)
        if learned is not None and (learned.dtype != np.bool_ or learned.shape != tokens.shape):
            raise DataError(
                f"grid {self.id}: learned", expected=f"bool {list(tokens.shape)}",
                got=f"{learned.dtype} {list(learned.shape)}",
            )  # fmt: skip

    @property
    def num_rows(self) -> int:
        """R."""
        return int(self.tokens_RC.shape[0])
