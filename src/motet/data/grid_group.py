"""Some grids as they are decoded together; each is checked when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motet.data.token_grid import TokenGrid
from motet.errors import DataError


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """Where a group is from, and what grids of that file are like."""

    path: Path
    first: int
    num_channels: int
    vocabulary: int


class GridGroup(Sequence[TokenGrid]):
    """The grids of one row group of `motet.data.grid_file.SCHEMA`."""

    def __init__(self, columns: pa.Table, place: GroupPlace) -> None:
        self._place = place
        self.num_bytes = int(columns.nbytes)
        self._ids, self._num_rows, self._metas = (
            columns.column(name) for name in ("id", "num_rows", "meta")
        )
        self._tokens, self._learned, self._weights = (
            _Lists(columns.column(name)) for name in ("tokens", "learned", "weights")
        )

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: Any) -> Any:
        """Grid number `index` of the group; DataError with file, number and field if it is broken.

        Arrays are views of what was decoded: who changes them copies them first.
        """
        where = f"{self._place.path}: conversation {self._place.first + index}"
        name, num_rows = self._ids[index].as_py(), self._num_rows[index].as_py()
        if not name:
            raise DataError(f"{where}: id", expected="a text", got=repr(name))
        if num_rows is None or num_rows < 0:
            raise DataError(f"{where}: num_rows", expected="0 or more", got=num_rows)
        shape = (num_rows, self._place.num_channels)
        tokens_RC = self._tokens.array(index, shape, f"{where}: tokens")
        if tokens_RC is None:
            raise DataError(f"{where}: tokens", expected="a list", got="null")
        is_alien = ((tokens_RC < 0) | (tokens_RC >= self._place.vocabulary)).reshape(-1)
        if is_alien.any():
            at = int(is_alien.argmax())
            raise DataError(
                f"{where}: tokens[{at}]", expected=f"0 to {self._place.vocabulary - 1}",
                got=tokens_RC.reshape(-1)[at],
            )  # fmt: skip
        learned_RC = self._learned.array(index, shape, f"{where}: learned")
        weights_RC = self._weights.array(index, shape, f"{where}: weights")
        if weights_RC is not None and not (np.isfinite(weights_RC) & (weights_RC >= 0)).all():
            raise DataError(f"{where}: weights", expected="0 or more each", got="others")
        meta = _meta(self._metas[index].as_py(), f"{where}: meta")
        return TokenGrid(name, tokens_RC, learned_RC, weights_RC, meta)


class _Lists:
    """A column of lists as one array and where each of them is in it."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        lists = column.combine_chunks()
        self._is_there = lists.is_valid()
        self._offsets = lists.offsets.to_numpy()
        self._values = lists.values
        nothing = False if pa.types.is_boolean(self._values.type) else 0
        self._array = self._values.fill_null(nothing).to_numpy(zero_copy_only=False)

    def array(self, index: int, shape: tuple[int, int], where: str) -> NDArray[Any] | None:
        """List number `index` in a shape, None if it is null; DataError if it does not fit."""
        if not self._is_there[index].as_py():
            return None
        start, stop = self._offsets[index], self._offsets[index + 1]
        if self._values.null_count and self._values[start:stop].null_count:
            raise DataError(where, expected="no null in the list", got="null")
        if stop - start != shape[0] * shape[1]:
            expected = f"{shape[0] * shape[1]} cells = {shape[0]} rows of {shape[1]}"
            raise DataError(where, expected=expected, got=stop - start)
        array: NDArray[Any] = self._array[start:stop].reshape(shape)
        return array


def _meta(text: str | None, where: str) -> dict[str, Any]:
    try:
        meta = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise DataError(where, expected="JSON", got=error) from None
    if not isinstance(meta, dict):
        raise DataError(where, expected="an object", got=type(meta).__name__)
    return meta
