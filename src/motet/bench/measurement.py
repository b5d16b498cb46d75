"""What is to be measured, and what was: two values that the parts of a measurement share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from motet.bench.cost import RowCost, Work, row_cost, weight_types
from motet.bench.peer import PeerFacts
from motet.bench.turns import Turns
from motet.runtime.directory import ModelSource, numbers_of, sizes_of

ROOM_ROWS = 64
"""Rows of a turn at most."""
_DIRECTORY_BYTES = 4  # of a number: a directory's weights are held in float32


@dataclass(frozen=True)
class Plan:
    """What will be measured. context_rows, prefill_rows: 0 for not at all.

    source: with the layout that is measured.
    """

    name: str
    source: ModelSource
    is_random: bool
    work: Work
    context_rows: int
    prefill_rows: int
    num_threads: int
    num_repeats: int
    has_peer: bool

    @cached_property
    def cost(self) -> RowCost:
        """What the architecture implies for a row at the start."""
        return row_cost(numbers_of(self.source), sizes_of(self.source, _DIRECTORY_BYTES), self.work)

    @property
    def weight_types(self) -> str:
        """Types of the weights as they are stored."""
        return weight_types(self.source)


@dataclass(frozen=True)
class EngineTime:
    """Rows through the engine: seconds of one step of all sessions, and the part that computed.

    What is not computing is Python: sessions, sampling, inputs and results of the forward.
    """

    step_s: float
    compute_s: float

    @property
    def python_share(self) -> float:
        """Part of a step that is not computing."""
        return 1.0 - self.compute_s / self.step_s


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes. context: turns of rows after `context_rows` rows against the first rows.

    num_distinct: experts of a layer that a forward touched, the mean; None without experts.
    row_bytes: what a forward reads with so many. floor: turns of rows against reading as much.
    """

    load_s: float
    first_row_s: float
    rows: Turns
    prefill: Turns | None
    context: Turns | None
    engine: EngineTime
    num_distinct: float | None
    row_bytes: float
    floor: Turns
    peak_resident_bytes: int
    peer: PeerFacts | None
    peer_peak_resident_bytes: int | None

    @property
    def floor_s(self) -> float:
        """Seconds to read `row_bytes`, the median of the turns."""
        assert self.floor.theirs_s is not None, "memory took turns"
        return self.floor.theirs_s

    @property
    def bandwidth(self) -> float:
        """Bytes a second at which memory was read beside the rows."""
        return self.row_bytes / self.floor_s
