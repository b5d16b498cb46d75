"""Dice whose throws depend on their name alone: a seed and a path, such as (seed, epoch, position).

Whoever has the same name throws the same, in any process, after any interruption, in any order.
Only `Random.random` is used, whose sequence Python promises to keep; other methods may change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")


def key_of(*path: int | str) -> int:
    """64 bits that depend on every part of `path`."""
    name = json.dumps(path).encode("ascii")
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "little")


class Dice:
    """Throws named by `path`."""

    def __init__(self, *path: int | str) -> None:
        self._random = Random(key_of(*path))

    def chance(self, share: float) -> bool:
        """True in `share` (0 to 1) of all throws; always one throw."""
        return self._random.random() < share

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        if low > high:
            raise ValueError(f"no whole number from {low} to {high}")
        return low + int(self._random.random() * (high - low + 1))

    def choice(self, items: Sequence[Item]) -> Item:
        """One of `items`, which must not be empty."""
        return items[self.integer(0, len(items) - 1)]
