"""The instruction sets that the kernels are compiled for, and which of them this processor has.

All of them give the same bits, so a level is a matter of speed alone. "portable" is plain C: it is
a reference for tests, slower than ggml's own products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from motet.runtime.native.kernels.declared import library

PORTABLE = "portable"


@dataclass(frozen=True)
class Level:
    """One instruction set of this processor. address: what a structure's `level` field takes."""

    name: str
    address: int

    @property
    def is_fast(self) -> bool:
        """Whether it beats ggml's products; false for plain C."""
        return self.name != PORTABLE


@cache
def all_levels() -> tuple[str, ...]:
    """Names of the levels that are compiled in, best first, whether or not they can run here."""
    names: list[str] = []
    while (name := library().motet_level_name(len(names))) is not None:
        names.append(name.decode())
    return tuple(names)


@cache
def levels() -> tuple[Level, ...]:
    """The levels that this processor can run, best first; "portable" is always the last."""
    addresses = ((name, library().motet_level(i)) for i, name in enumerate(all_levels()))
    return tuple(Level(name, address) for name, address in addresses if address is not None)


def best_level() -> Level:
    """The level to use unless a test wants another."""
    return levels()[0]
