"""How fast this machine reads memory: the floor under every row.

A row must read the weights that it uses at least once, so its time is at least their bytes over
the bandwidth that all threads reach together.
"""

from __future__ import annotations

import os
import time
from threading import Barrier, Thread

import numpy as np

from motet.runtime.native.kernels.declared import library
from motet.runtime.native.kernels.levels import best_level

STEP_BYTES = 256


def read_bandwidth(num_threads: int, num_bytes: int = 256 << 20, repeats: int = 5) -> float:
    """Bytes a second that `num_threads` threads read, each its part; the best of some repeats.

    num_bytes: should be several times the last cache.
    """
    memory = np.ones(num_bytes, np.uint8)
    part_bytes = num_bytes // num_threads // STEP_BYTES * STEP_BYTES
    seconds = [_read(memory, num_threads, part_bytes) for _ in range(repeats)]
    return num_threads * part_bytes / min(seconds)


def own_core(ith: int) -> None:
    """Keep the calling thread on a core of its own, if the system lets it be named.

    Threads that start together and live for a moment may otherwise share one.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[ith % len(cores)]})


def _read(memory: np.ndarray[tuple[int], np.dtype[np.uint8]], num: int, part_bytes: int) -> float:
    function, level = library().motet_read_memory, best_level().address
    spans: list[tuple[float, float]] = []
    ready = Barrier(num)

    def read(ith: int) -> None:
        own_core(ith)
        ready.wait()
        start = time.perf_counter()
        function(level, memory.ctypes.data + ith * part_bytes, part_bytes)
        spans.append((start, time.perf_counter()))

    threads = [Thread(target=read, args=(ith,)) for ith in range(num)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)
