"""The native runtime's forward: what it returns, what it refuses, and what it leaves alone."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from motet.errors import ContextFullError, GridError, SettingError, StateError
from motet.runtime import Wanted
from motet.runtime.native import NativeRuntime, NativeState
from motet.runtime.native import reading as reading_module
from motet.runtime.native import runtime as runtime_module
from motet.runtime.native.graph import MAX_GRAPHS, Graph
from tests.laws.checks import decode, random_rows, read, read_alone
from tests.laws.tolerance import assert_identical, assert_same
from tests.native.models import native, tiny_native
from tests.tiny import CONTEXT_ROWS, VOCAB_SIZE, Architecture, Case

C = 4
CASE = Case(Architecture.LFM2_MOE, C)


@pytest.fixture
def moe() -> NativeRuntime:
    return tiny_native(CASE)


def memory(state: NativeState) -> list[Any]:
    """Everything in a state, copied."""
    return [state.num_rows, state.ring_from, *(part.copy() for part in state.parts())]


def assert_unchanged(state: NativeState, before: list[Any]) -> None:
    for now, then in zip(memory(state), before, strict=True):
        assert np.array_equal(now, then)


@pytest.mark.parametrize("channels", [None, [2, 0], [1], []], ids=str)
def test_wanted_rows_and_channels(moe: NativeRuntime, channels: list[int] | None) -> None:
    grids = [random_rows(moe, rows, seed) for seed, rows in enumerate((5, 1, 3))]
    whole = [read_alone(moe, grid) for grid in grids]
    columns = list(range(C)) if channels is None else channels
    for wanted, first in ((Wanted.ALL, lambda R: 0), (Wanted.LAST, lambda R: R - 1),
                          (Wanted.NONE, lambda R: R)):  # fmt: skip
        states = [moe.open(8) for _ in grids]
        got = moe.forward(states, grids, wanted=wanted, channels=channels)
        for state, logits, grid, expected in zip(states, got, grids, whole, strict=True):
            rows = expected[first(len(grid)) :, columns]
            assert logits.dtype == np.float32
            assert logits.shape == rows.shape
            assert state.num_rows == len(grid)
            if rows.size:
                assert_same(logits, rows, f"{wanted} of {columns}")


def test_nothing_to_read(moe: NativeRuntime) -> None:
    assert moe.forward([], []) == []


def test_logits_are_the_callers_own(moe: NativeRuntime) -> None:
    """The next forward does not write into what an earlier one has returned."""
    state = moe.open(4)
    first = decode(moe, state, random_rows(moe, 1))
    (kept,) = moe.forward([state], [random_rows(moe, 1, seed=1)])
    before = kept.copy()
    moe.forward([state], [random_rows(moe, 1, seed=2)])
    assert_identical(kept, before, "kept logits")
    assert not np.array_equal(first, kept[0])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (np.zeros((1, 3), np.int32), GridError, "rows: expected shape"),
        (np.zeros((0, 4), np.int32), GridError, "rows: expected shape"),
        (np.zeros((4,), np.int32), GridError, "rows: expected shape"),
        (np.zeros((1, 4), np.float32), GridError, "integer token ids"),
        (np.full((1, 4), VOCAB_SIZE), GridError, f"0 to {VOCAB_SIZE - 1}"),
        (np.full((1, 4), -1), GridError, "token ids"),
        (np.zeros((6, 4), np.int64), ContextFullError, "at most 10 rows, got 11"),
    ],
    ids=["narrow", "no rows", "flat", "floats", "beyond V", "negative", "too many"],
)
def test_a_refused_forward_changes_nothing(
    moe: NativeRuntime, rows: Any, error: type[Exception], message: str
) -> None:
    good, bad = moe.open(10), moe.open(10)
    read(moe, good, random_rows(moe, 5))
    read(moe, bad, random_rows(moe, 5, seed=1))
    before = memory(good), memory(bad)
    with pytest.raises(error, match=message):
        moe.forward([good, bad], [random_rows(moe, 1), rows])
    assert_unchanged(good, before[0])
    assert_unchanged(bad, before[1])
    with pytest.raises(GridError, match="distinct states"):
        moe.forward([good, good], [random_rows(moe, 1)] * 2)
    with pytest.raises(GridError, match="channels"):
        moe.forward([good], [random_rows(moe, 1)], channels=[4])
    assert_unchanged(good, before[0])


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.uint64, ">i4"])
def test_token_ids_of_any_integer_type(moe: NativeRuntime, kind: Any) -> None:
    rows = random_rows(moe, 3)
    assert_identical(read_alone(moe, rows.astype(kind)), read_alone(moe, rows), "logits")


def test_a_forward_that_fails_can_be_taken_back(
    moe: NativeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows have been written into the ring, over rows that the state still counts on."""
    rows = random_rows(moe, 200)
    whole = read_alone(moe, rows)
    for computed in (False, True):
        state = moe.open(200)
        read(moe, state, rows[:70])
        original = Graph.compute

        def fail(
            self: Graph, num_threads: int, computed: bool = computed, original: Any = original
        ) -> None:
            if computed:
                original(self, num_threads)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Graph, "compute", fail)
            with pytest.raises(KeyboardInterrupt):
                moe.forward([state], [rows[70:190]])
        assert state.num_rows == 70
        assert_same(read(moe, state.fork(), rows[70:]), whole[70:], "went on at once")
        moe.truncate(state, 69)
        assert_same(read(moe, state, rows[69:]), whole[69:], "went on after a cut")


def test_graphs_come_and_go(moe: NativeRuntime) -> None:
    """More shapes than are kept, and larger ones than the arena was made for."""
    runtime = native(CASE)
    rows = random_rows(runtime, MAX_GRAPHS + 20)
    expected = read_alone(moe, rows)
    for num_rows in (1, 2, len(rows), *range(3, MAX_GRAPHS + 5), 2, 1):
        got = read_alone(runtime, rows[:num_rows])
        assert_same(got, expected[:num_rows], f"{num_rows} rows")
    assert len(runtime._graphs._graphs) <= MAX_GRAPHS


def test_all_logits_of_many_rows_come_in_parts(
    moe: NativeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(moe, 11)
    expected = read_alone(moe, rows)
    monkeypatch.setattr(reading_module, "MAX_LOGITS", 3 * C * VOCAB_SIZE)
    assert_same(read_alone(moe, rows), expected, "three rows at a time")
    monkeypatch.setattr(reading_module, "MAX_LOGITS", 1)
    assert_same(read_alone(moe, rows), expected, "one row at a time")


def test_the_last_experts(moe: NativeRuntime) -> None:
    """Layer 0 is dense; the last layer sees only the cells whose logits are wanted."""
    moe.forward([moe.open(3)], [random_rows(moe, 3)], channels=[1, 2])
    chosen = moe.last_experts()
    assert [layer.shape for layer in chosen] == [(12, 2), (12, 2), (2, 2)]
    for layer in chosen:
        assert layer.min() >= 0
        assert layer.max() < 8
        assert (layer[:, 0] != layer[:, 1]).all()
    assert native(Case(Architecture.QWEN3, 2)).last_experts() == []


@pytest.mark.parametrize("max_rows", [0, -1, CONTEXT_ROWS + 1])
def test_rooms_that_do_not_exist(moe: NativeRuntime, max_rows: int) -> None:
    with pytest.raises(StateError, match=f"max_rows: expected 1 to {CONTEXT_ROWS}"):
        moe.open(max_rows)


def test_a_state_that_does_not_fit_is_refused(
    moe: NativeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = moe.state_bytes(400)
    monkeypatch.setattr(runtime_module, "available_bytes", lambda: needed // 2)
    with pytest.raises(StateError, match=r"memory for 400 rows: expected .* MB free; ") as refusal:
        moe.open(400)
    advice = int(re.findall(r"at most (\d+) rows", str(refusal.value))[0])
    assert moe.open(advice).num_bytes <= needed // 2
    with pytest.raises(StateError):
        moe.open(advice + 1)
    monkeypatch.setattr(runtime_module, "available_bytes", lambda: 1000)
    with pytest.raises(StateError, match="close other sessions"):
        moe.open(1)
    monkeypatch.setattr(runtime_module, "available_bytes", lambda: None)
    assert moe.open(400).max_rows == 400


@pytest.mark.parametrize("bad", [-1, CONTEXT_ROWS])
def test_truncate_refuses(moe: NativeRuntime, bad: int) -> None:
    state = moe.open(5)
    read(moe, state, random_rows(moe, 3))
    before = memory(state)
    with pytest.raises(StateError, match="truncate: expected 0 to 3 rows"):
        moe.truncate(state, bad)
    assert_unchanged(state, before)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(SettingError, match="threads: expected at least 1, got 0"):
        native(CASE, num_threads=0)


def test_threads_take_turns(moe: NativeRuntime) -> None:
    """Graphs share their memory and the call's table; who computes has them to himself."""
    grids = [random_rows(moe, 40, seed) for seed in range(4)]
    expected = [read_alone(moe, grid) for grid in grids]
    for _ in range(3):
        with ThreadPoolExecutor(4) as threads:
            got = list(threads.map(lambda grid: decode(moe, moe.open(40), grid), grids))
        for logits, alone in zip(got, expected, strict=True):
            assert_same(logits, alone, "in company of threads")
