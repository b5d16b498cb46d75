"""Numbers out of a mapping that somebody else wrote: each is checked, each error names its key."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from motet.errors import CheckpointError

MAX_NUMBER = 1 << 24
_MISSING = object()


class Fields:
    """A configuration or the metadata of a file. prefix: of every key that is asked for."""

    def __init__(self, values: Mapping[str, object], prefix: str, where: str) -> None:
        self._values = values
        self._prefix = prefix
        self._where = where

    def integer(
        self, key: str, least: int = 1, most: int = MAX_NUMBER, *, default: int | None = None
    ) -> int:
        """An integer in a range; also a list that holds it again and again, one for each layer."""
        value = self._get(key, default)
        if isinstance(value, np.ndarray) and len(set(value.tolist())) == 1:
            value = value[0].item()
        if type(value) is not int or not least <= value <= most:
            raise self.error(key, f"an integer from {least} to {most}", value)
        return value

    def number(self, key: str, *, default: float | None = None) -> float:
        """A positive number."""
        value = self._get(key, default)
        if type(value) not in (int, float) or not 0 < value < 1e12:  # type: ignore[operator]
            raise self.error(key, "a positive number", value)
        return float(value)  # type: ignore[arg-type]

    def per_layer(self, key: str, num_layers: int, *, default: int) -> tuple[int, ...]:
        """One integer for each layer, from a list or from one that stands for all."""
        value = self._get(key, default)
        values = value.tolist() if isinstance(value, np.ndarray) else [value] * num_layers
        if len(values) != num_layers or not all(type(v) is int and 0 <= v <= 65535 for v in values):
            raise self.error(key, f"a number, or one for each of {num_layers} layers", values)
        return tuple(values)

    def require(self, key: str, *wanted: float | str | None) -> None:
        """CheckpointError unless the key is missing or has one of the `wanted` values."""
        value = self._get(key, wanted[0])
        if isinstance(value, list | dict | np.ndarray) or value not in wanted:
            raise self.error(key, " or ".join(map(str, wanted)), value)

    def error(self, key: str, expected: object, got: object) -> CheckpointError:
        """The error that says which key is unfit."""
        shown = "nothing" if got is _MISSING else repr(got)[:80]
        return CheckpointError(f"{self._where}: {self._prefix}{key}", expected=expected, got=shown)

    def _get(self, key: str, default: object) -> object:
        return self._values.get(self._prefix + key, _MISSING if default is None else default)
