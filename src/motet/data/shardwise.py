"""The same work on every shard of a dataset, in one process or in many; results in order."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from motet.data.orphans import end_with_parent
from motet.errors import DataError

Result = TypeVar("Result")


class EachShard(Protocol):
    """Does some work on shards 0 to `num_shards` - 1, somewhere; yields the results in order."""

    def __call__(self, work: Callable[[int], Result], num_shards: int, /) -> Iterator[Result]:
        """What `work` returns for each."""
        ...


_job: Callable[[int], Any] | None = None


def each_shard(
    work: Callable[[int], Result], num_shards: int, num_processes: int = 1
) -> Iterator[Result]:
    """What `work` returns for shard 0, 1, ...; with several processes it must be picklable.

    At most two shards a process are ahead of what was taken. DataError if a process dies.
    """
    num_processes = min(num_processes, num_shards)
    if num_processes <= 1:
        yield from map(work, range(num_shards))
        return
    executor = ProcessPoolExecutor(
        num_processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(work,),
    )
    ahead: deque[Future[Result]] = deque()
    try:
        for shard in range(num_shards):
            ahead.append(executor.submit(_work, shard))
            if len(ahead) > 2 * num_processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool:
        raise DataError(
            "a process that read a shard died", fix="if memory ran out, use fewer --processes"
        ) from None
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _begin(work: Callable[[int], Any]) -> None:
    global _job
    _job = work
    end_with_parent()


def _work(shard: int) -> Any:
    if _job is None:
        raise RuntimeError("a process was given a shard before it was told what to do")
    return _job(shard)
