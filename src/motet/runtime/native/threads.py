"""How many threads a graph is worth.

Threads wait for each other after every operation of a graph, some hundred times. A row of a tiny
model is done before a second thread would have helped, and on a busy machine waiting costs most.
"""

from __future__ import annotations

import os
from math import prod

from motet.runtime.native.paths import Path
from motet.runtime.native.weights import Model

MULTIPLY_ADDS_PER_THREAD = 8_000_000  # about half a millisecond
SMALL_CELL = 20_000_000  # multiply-adds of a cell that takes longer to compute than to serve


def num_cores() -> int:
    """Cores that this process may use: those it is bound to, at most $OMP_NUM_THREADS."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores, int(wished)) if wished.isdecimal() and int(wished) else cores


def multiply_adds(model: Model, paths: dict[str, Path], head: str) -> tuple[int, int]:
    """Products with weights in one cell without the head, and of its logits."""
    numbers = model.hyperparameters
    cell = 0
    for name in paths.keys() - {head}:
        shape = model.weights[name].shape
        active = numbers.num_active_experts if len(shape) == 3 else 1
        cell += active * prod(shape[-2:])
    return cell, prod(model.weights[head].shape)


def cores_beside_a_server(multiply_adds_of_cell: int, num_cores: int) -> int:
    """Cores for the graphs of a process that also serves what they compute.

    Sockets, JSON and the journal take about 0.03 ms of a core for a cell. Of a large model that is
    nothing; a small one would have one of its threads pushed aside all the time, and the others
    wait for that one. So it leaves a core free.
    """
    return max(1, num_cores - 1) if multiply_adds_of_cell < SMALL_CELL else num_cores


def threads_worth(num_multiply_adds: int, num_cores: int) -> int:
    """Threads for a graph of so many products, at most `num_cores`."""
    return max(1, min(num_cores, num_multiply_adds // MULTIPLY_ADDS_PER_THREAD))
