"""Which conversations share a sequence, and which sequences share a step.

The conversations of an epoch are looked at in pools. Those of a pool are packed into sequences, the
sequences shuffled and cut into steps; what is left over is carried into the next pool, so that
every conversation of an epoch is read exactly once and every step is full.

    epoch -> pool -> [ step  step  step ... ] + carried -> next pool

All of it is a function of (seed, epoch, pool, carried), so a `Position` is enough to go on from any
step, whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from motet.data.token_grid import TokenGrid
from motet.train.config.data import Packing
from motet.train.packing import cut, pack

__all__ = ["Order", "Position", "Ref", "StepPlan"]

Ref = tuple[int, int]
"""A sample: its epoch, and its index there."""

Refs = tuple[Ref, ...]
SamplesOf = Callable[[int], Sequence[TokenGrid]]
"""The samples of an epoch, by its number."""


@dataclass(frozen=True, slots=True)
class Position:
    """The next step: its pool, its place there, and the sequences that the pool began with.

    num_conversations, num_rows: what has been read before it.
    """

    epoch: int = 0
    pool: int = 0
    place: int = 0
    carried: tuple[Refs, ...] = ()
    num_conversations: int = 0
    num_rows: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Position:
        """Back from JSON values."""
        carried = tuple(tuple((e, i) for e, i in refs) for refs in values["carried"])
        return cls(**(values | {"carried": carried}))


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The sequences of one step, longest first, and where to go on after it."""

    refs: tuple[Refs, ...]
    sequences: tuple[tuple[TokenGrid, ...], ...]
    after: Position


@dataclass(frozen=True)
class Order:
    """The steps of a run. rows_per_sequence: longer samples are cut there."""

    samples_of: SamplesOf
    seed: int
    packing: Packing
    rows_per_sequence: int
    sequences_per_step: int
    pool_conversations: int
    _epochs: dict[int, Sequence[TokenGrid]] = field(default_factory=dict, repr=False)

    def start_at(self, position: Position) -> Iterator[StepPlan]:
        """The steps from `position` on, without end."""
        while True:
            samples = self._samples(position.epoch)
            first = position.pool * self.pool_conversations
            stop = min(first + self.pool_conversations, len(samples))
            refs = [(position.epoch, index) for index in range(first, stop)]
            steps, carried, grids = self._plan(position, refs)
            for place in range(position.place, len(steps)):
                is_last = place + 1 == len(steps)
                chosen = steps[place]
                sequences = tuple(tuple(grids[ref] for ref in one) for one in chosen)
                position = self._after(position, place, stop, is_last, carried, sequences)
                yield StepPlan(chosen, sequences, position)
            if not steps:
                position = self._after(position, 0, stop, True, carried, ())

    def _after(
        self,
        position: Position,
        place: int,
        stop: int,
        is_last: bool,
        carried: tuple[Refs, ...],
        sequences: Sequence[Sequence[TokenGrid]],
    ) -> Position:
        conversations = position.num_conversations + sum(map(len, sequences))
        rows = position.num_rows + sum(grid.num_rows for one in sequences for grid in one)
        if not is_last:
            place += 1
            return Position(
                position.epoch, position.pool, place, position.carried, conversations, rows
            )
        epoch, pool = position.epoch, position.pool + 1
        if stop == len(self._samples(epoch)):
            epoch, pool = epoch + 1, 0
        return Position(epoch, pool, 0, carried, conversations, rows)

    def _plan(
        self, position: Position, refs: Sequence[Ref]
    ) -> tuple[list[tuple[Refs, ...]], tuple[Refs, ...], dict[Ref, TokenGrid]]:
        """Steps of a pool, what is left over, and the samples of both."""
        grids = {ref: self._load(ref) for ref in refs}
        grids |= {ref: self._load(ref) for one in position.carried for ref in one}
        lengths = [grids[ref].num_rows for ref in refs]
        if self.packing is Packing.NONE:
            packs = [[place] for place in range(len(refs))]
        else:
            packs = pack(lengths, self.rows_per_sequence)
        sequences = [*position.carried, *(tuple(refs[i] for i in one) for one in packs)]
        rng = Random(f"{self.seed}/pool {position.epoch}.{position.pool}")
        rng.shuffle(sequences)
        size = self.sequences_per_step
        used = len(sequences) // size * size
        chosen, rest = sequences[:used], tuple(sequences[used:])
        num_rows = {one: sum(grids[ref].num_rows for ref in one) for one in chosen}
        if self.packing is Packing.NONE:  # alike in length, so that little is padded
            chosen.sort(key=lambda one: -num_rows[one])
        steps = [
            tuple(sorted(chosen[start : start + size], key=lambda one: -num_rows[one]))
            for start in range(0, used, size)
        ]
        if self.packing is Packing.NONE:
            rng.shuffle(steps)
        return steps, rest, grids

    def _load(self, ref: Ref) -> TokenGrid:
        epoch, index = ref
        return cut(self._samples(epoch)[index], self.rows_per_sequence)

    def _samples(self, epoch: int) -> Sequence[TokenGrid]:
        if epoch not in self._epochs:
            for old in [e for e in self._epochs if e < epoch - 1]:
                del self._epochs[old]
            self._epochs[epoch] = self.samples_of(epoch)
        return self._epochs[epoch]
