"""How long to wait before the next try to reach a server, and when to give up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

__all__ = ["Patience"]


@dataclass(frozen=True)
class Patience:
    """Delays that double from first_s to most_s, each shortened by up to a half at random.

    Clients that lost the same server so do not all come back in the same moment. give_up_s: after
    so long without a connection; None never.
    """

    first_s: float = 0.2
    most_s: float = 10.0
    give_up_s: float | None = 600.0

    def delays(self, dice: Random) -> Iterator[float]:
        """Seconds to wait before the first, second, ... try."""
        delay = self.first_s
        while True:
            yield delay * dice.uniform(0.5, 1.0)
            delay = min(2 * delay, self.most_s)
