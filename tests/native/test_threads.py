"""A graph gets as many threads as its work is worth, or exactly as many as were asked for."""

from __future__ import annotations

import os

import pytest

from motet.formats.directory import read_directory
from motet.formats.ggml_types import GGMLType
from motet.runtime.native import NativeRuntime, read_model
from motet.runtime.native import runtime as runtime_module
from motet.runtime.native.graph import Graph
from motet.runtime.native.threads import MULTIPLY_ADDS_PER_THREAD as EACH
from motet.runtime.native.threads import (
    SMALL_CELL,
    cores_beside_a_server,
    num_cores,
    threads_worth,
)
from motet.runtime.opening import spare_a_core
from tests.laws.checks import random_rows

CORES = 6


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads of each graph computed, which gets only one in truth."""
    monkeypatch.setattr(runtime_module, "num_cores", lambda: CORES)
    threads: list[int] = []
    original = Graph.compute

    def compute(self: Graph, num_threads: int) -> None:
        threads.append(num_threads)
        original(self, 1)

    monkeypatch.setattr(Graph, "compute", compute)
    return threads


def test_worth() -> None:
    assert [threads_worth(n, CORES) for n in (0, EACH - 1, EACH, 2 * EACH)] == [1, 1, 1, 2]
    assert threads_worth(100 * EACH, CORES) == CORES
    assert num_cores() >= 1


def test_by_the_work_of_the_embedded_model(taken: list[int]) -> None:
    """6 million products in a row: one thread; 64 times as many: all."""
    runtime = NativeRuntime(read_model(read_directory("motet-tiny"), GGMLType.F32))
    states = [runtime.open(4) for _ in range(64)]
    rows = [random_rows(runtime, 1, seed) for seed in range(64)]
    runtime.forward(states[:1], rows[:1])
    runtime.forward(states, rows)
    runtime.forward(states[:8], rows[:8])
    one_row = 6_025_040 + 2048 * 128  # as `motet inspect` counts it, for all four channels
    assert taken == [1, CORES, 8 * one_row // EACH]


def test_a_small_model_leaves_a_core_to_its_server(taken: list[int]) -> None:
    runtime = NativeRuntime(read_model(read_directory("motet-tiny"), GGMLType.F32))
    spare_a_core(runtime)
    runtime.forward(
        [runtime.open(4) for _ in range(64)], [random_rows(runtime, 1, n) for n in range(64)]
    )
    assert taken == [CORES - 1]
    assert cores_beside_a_server(SMALL_CELL - 1, 1) == 1
    assert cores_beside_a_server(SMALL_CELL, CORES) == CORES  # a thread more is worth more there


@pytest.mark.parametrize(
    ("wished", "cores"),
    [("1", 1), ("2,1", 2), ("999", 3), ("", 3), ("0", 3), ("many", 3), ("-1", 3)],
)
def test_omp_num_threads_is_heeded(
    wished: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", wished)
    assert num_cores() == cores


def test_exactly_as_asked(taken: list[int]) -> None:
    model = read_model(read_directory("motet-tiny"), GGMLType.F32)
    runtime = NativeRuntime(model, num_threads=5)
    spare_a_core(runtime)
    runtime.forward([runtime.open(2)], [random_rows(runtime, 1)])
    assert taken == [5]
