"""Micro-batches for one process, each a share of a step; read ahead in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Protocol

from motet.data.token_grid import TokenGrid
from motet.train.batch import Batch
from motet.train.feed.order import Order, Position, Refs

__all__ = ["Feed", "Portion"]

AHEAD = 2
"""Portions that are ready while one is in use."""

_WAIT_S = 0.1


class Collate(Protocol):
    """Sequences of conversations to a batch, such as `Collator`."""

    def __call__(self, sequences: Sequence[Sequence[TokenGrid]]) -> Batch:
        """One line of the batch for each sequence."""


@dataclass(frozen=True, slots=True)
class Portion:
    """A micro-batch of this process; `refs`: what is in it; `after`: where the step after it is."""

    batch: Batch
    refs: tuple[Refs, ...]
    after: Position


@dataclass(frozen=True)
class Feed:
    """The micro-batches of process `rank` of `size`, from `position` on, without end.

    A step of `order` is dealt to the processes in turn, `sequences_at_once` to each at a time.
    """

    order: Order
    collate: Collate
    sequences_at_once: int
    rank: int
    size: int
    position: Position

    @property
    def num_accumulated(self) -> int:
        """Micro-batches of each process in a step."""
        return self.order.sequences_per_step // (self.sequences_at_once * self.size)

    def portions(self) -> Iterator[Portion]:
        """What the iterator yields, without reading ahead."""
        at_once = self.sequences_at_once * self.size
        for plan in self.order.start_at(self.position):
            for start in range(0, len(plan.sequences), at_once):
                mine = slice(start + self.rank, start + at_once, self.size)
                yield Portion(self.collate(plan.sequences[mine]), plan.refs[mine], plan.after)

    def __iter__(self) -> Iterator[Portion]:
        """`portions`, made in a thread while the model computes."""
        return _ahead(self.portions())


def _ahead(portions: Iterator[Portion]) -> Iterator[Portion]:
    queue: Queue[Any] = Queue(AHEAD)
    stopped = Event()

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_WAIT_S)
            except Full:
                continue
            return

    def fill() -> None:
        try:
            for portion in portions:
                put(portion)
                if stopped.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            put(error)

    thread = Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=_WAIT_S)
            except Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
