"""Making the shards of a dataset in many processes: the same bytes for any number of them.

A shard is a function of its own part of the input alone, so who makes it and in which order does
not matter. `motet.data.cluster` does the same on many machines.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, BinaryIO, Protocol

from motet.data.building import Building, Record, Written
from motet.data.dataset import Description
from motet.data.orphans import end_with_parent
from motet.errors import DataError

Advance = Callable[[Record], None]
"""Told the record of every shard that is done."""


class Part(Protocol):
    """Makes shards; it is pickled once for every process that helps."""

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """Write shard number `index`, as a function of the input alone."""
        ...


def spread(
    building: Building[Any],
    num_parts: int,
    part: Part,
    *,
    num_processes: int = 1,
    advance: Advance = lambda _: None,
) -> Description:
    """Make all shards that are not there yet, in `num_processes`, and finish the dataset.

    A mistake in one part stops the work with its error; finished shards stay for the next attempt.
    """
    missing = [i for i in range(num_parts) if not building.is_finished and not building.record(i)]
    num_processes = min(num_processes, len(missing))
    if num_processes <= 1:
        for index in missing:
            advance(make_shard(building, part, index))
    else:
        _in_processes(building, part, missing, num_processes, advance)
    done: Description = building.finish(num_parts)
    return done


def make_shard(building: Building[Any], part: Part, index: int) -> Record:
    """Make one shard here."""
    return building.make(index, lambda file: part(index, file))


def _in_processes(
    building: Building[Any], part: Part, missing: list[int], num_processes: int, advance: Advance
) -> None:
    executor = ProcessPoolExecutor(
        num_processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_work,
        initargs=(building, part),
    )
    waiting = missing[::-1]
    running: set[Future[Record]] = set()
    try:
        while waiting or running:
            while waiting and len(running) < 2 * num_processes:
                running.add(executor.submit(_work, waiting.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                advance(future.result())
    except BrokenProcessPool:
        raise DataError(
            "a process that made a shard died", fix="if memory ran out, use fewer --processes",
        ) from None  # fmt: skip
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


_job: tuple[Building[Any], Part] | None = None


def _begin_work(building: Building[Any], part: Part) -> None:
    """Once in every process that helps."""
    global _job
    _job = (building, part)
    end_with_parent()


def _work(index: int) -> Record:
    if _job is None:
        raise RuntimeError("a process was given work before it was told which")
    return make_shard(*_job, index)
