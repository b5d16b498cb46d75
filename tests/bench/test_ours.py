"""Our side reads what it says: rows after the past, again and again from the same place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from motet.bench.ours import OurSide, engine_time
from motet.bench.random import with_channels
from motet.engine import Engine, Sampling
from motet.formats.gguf import GGUFModel
from motet.runtime.directory import codec_of
from motet.runtime.native import NativeRuntime, map_gguf

Read = Callable[[], list[tuple[int, int, int]]]


@pytest.fixture
def runtime(tiny_file: GGUFModel) -> NativeRuntime:
    return NativeRuntime(map_gguf(with_channels(tiny_file, 4)), num_threads=1)


@pytest.fixture
def read(runtime: NativeRuntime, monkeypatch: pytest.MonkeyPatch) -> Read:
    """For each forward so far: sessions, rows before it, rows in it."""
    forward, seen = runtime.forward, []

    def spied(states: list[Any], blocks: list[Any], **options: Any) -> Any:
        assert tuple(options["channels"]) == (1, 2, 3)
        seen.append((len(states), states[0].num_rows, len(blocks[0])))
        logits = forward(states, blocks, **options)
        assert all(np.isfinite(block).all() for block in logits)
        return logits

    monkeypatch.setattr(runtime, "forward", spied)
    return lambda: seen


def test_rows_from_the_start(runtime: NativeRuntime, read: Read) -> None:
    side = OurSide(runtime, 2, num_rows=8)
    assert len(side.rows(3)) == 3
    assert len(side.rows(2)) == 2
    assert read() == [(2, 0, 1), (2, 1, 1), (2, 2, 1), (2, 0, 1), (2, 1, 1)]
    assert side.num_distinct is not None
    assert 2 < side.num_distinct <= 8


def test_rows_after_a_past(runtime: NativeRuntime, read: Read) -> None:
    side = OurSide(runtime, 1, past_rows=300, num_rows=8)
    side.rows(2)
    side.rows(1)
    assert read() == [(1, 300, 1), (1, 301, 1), (1, 300, 1)]


def test_a_prefill_is_one_forward(runtime: NativeRuntime, read: Read) -> None:
    side = OurSide(runtime, 1, num_rows=16)
    assert len(side.prefill()) == len(side.prefill()) == 1
    assert read() == [(1, 0, 16)] * 2
    assert side.num_distinct is None


@pytest.mark.parametrize("num_channels", [1, 4])
def test_through_the_engine(tiny_file: GGUFModel, num_channels: int) -> None:
    file = with_channels(tiny_file, num_channels)
    runtime = NativeRuntime(map_gguf(file), num_threads=1)
    engine = Engine("tiny", runtime, codec_of(file), Sampling())
    time = engine_time(engine, 3, 5)
    assert 0 < time.compute_s < time.step_s
    assert 0 < time.python_share < 1
