"""States on a device: memory said beforehand, files shared with the native runtime, failures."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.errors import ContextFullError, StateError
from motet.runtime.device import Device, DeviceRuntime
from motet.runtime.device.graph import DeviceGraph
from motet.runtime.device.opened import OpenedDevice
from motet.runtime.native import KVType
from tests.device.models import on_device, tiny_on_device
from tests.laws.checks import AnyRuntime, decode, random_rows, read, read_alone
from tests.laws.tolerance import assert_same
from tests.native.models import tiny_native
from tests.tiny import Architecture, Case

CASE = Case(Architecture.LFM2_MOE, 4)


@pytest.fixture
def moe() -> DeviceRuntime:
    return tiny_on_device(CASE)


@pytest.mark.parametrize("turn", [lambda a, b: (a, b), lambda a, b: (b, a)], ids=["here", "there"])
def test_a_saved_state_goes_on_in_the_other_runtime(
    moe: DeviceRuntime,
    turn: Callable[[AnyRuntime, AnyRuntime], tuple[AnyRuntime, AnyRuntime]],
    tmp_path: Path,
) -> None:
    saving, loading = turn(moe, tiny_native(CASE))
    rows, tail = random_rows(moe, 140), random_rows(moe, 2, seed=1)
    state = saving.open(150)
    read(saving, state, rows)
    saving.save_state(state, tmp_path / "state")
    for num_rows in (140, 139, 66, 3):
        loaded = loading.load_state(tmp_path / "state")
        loading.truncate(loaded, num_rows)
        expected = read_alone(moe, np.concatenate([rows[:num_rows], tail]))[num_rows:]
        assert_same(read(loading, loaded, tail), expected, f"law 12: {num_rows} rows, elsewhere")


def test_broken_files(moe: DeviceRuntime, tmp_path: Path) -> None:
    state = moe.open(8)
    read(moe, state, random_rows(moe, 5))
    moe.save_state(state, tmp_path / "state")
    content = (tmp_path / "state").read_bytes()
    (tmp_path / "broken").write_bytes(content[:-1])
    with pytest.raises(StateError, match="a whole saved state"):
        moe.load_state(tmp_path / "broken")
    (tmp_path / "broken").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(StateError, match="changed bytes"):
        moe.load_state(tmp_path / "broken")
    other = on_device(CASE, kv_type=KVType.F16)
    with pytest.raises(StateError, match="expected f16, got f32"):
        other.load_state(tmp_path / "state")


def test_a_state_that_does_not_fit_is_refused(
    moe: DeviceRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = moe.state_bytes(400)
    monkeypatch.setattr(Device, "free_bytes", lambda self: needed // 2)
    with pytest.raises(StateError, match=r"memory for 400 rows: expected .* at most \d+ rows"):
        moe.open(400)
    monkeypatch.setattr(Device, "free_bytes", lambda self: None)
    assert moe.open(400).num_bytes == needed


def test_a_refused_forward_changes_nothing(moe: DeviceRuntime) -> None:
    rows = random_rows(moe, 6)
    state = moe.open(5)
    read(moe, state, rows[:4])
    with pytest.raises(ContextFullError):
        moe.forward([state], [rows[:2]])
    assert_same(read(moe, state, rows[4:5]), read_alone(moe, rows)[4:5], "the next row")


@pytest.mark.parametrize("computed", [False, True])
def test_a_forward_that_fails_can_be_taken_back(
    moe: DeviceRuntime, monkeypatch: pytest.MonkeyPatch, computed: bool
) -> None:
    rows = random_rows(moe, 200)
    whole = read_alone(moe, rows)
    state = moe.open(200)
    read(moe, state, rows[:70])
    original = DeviceGraph.compute

    def fail(self: DeviceGraph, arrays: object, num_logits: int) -> None:
        if computed:
            original(self, arrays, num_logits)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DeviceGraph, "compute", fail)
        with pytest.raises(KeyboardInterrupt):
            moe.forward([state], [rows[70:190]])
    assert state.num_rows == 70
    assert_same(read(moe, state.fork(), rows[70:]), whole[70:], "went on at once")
    moe.truncate(state, 69)
    assert_same(read(moe, state, rows[69:]), whole[69:], "went on after a cut")


def test_a_device_that_fails_is_one_line(
    moe: DeviceRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: OpenedDevice, graph: int) -> None:
        raise MemoryError

    state = moe.open(4)
    with monkeypatch.context() as patch:
        patch.setattr(OpenedDevice, "compute", fail)
        with pytest.raises(StateError, match="expected room for a forward"):
            moe.forward([state], [random_rows(moe, 1)])
    rows = random_rows(moe, 3)
    assert_same(decode(moe, state, rows), read_alone(moe, rows), "afterwards")


def test_a_closed_session_gives_its_memory_back() -> None:
    """Graphs are kept by the numbers of states, not by the states."""
    runtime = on_device(replace(CASE, num_channels=2))
    state = runtime.open(10)
    read(runtime, state, random_rows(runtime, 3))
    memory = weakref.ref(state.memory)
    del state
    gc.collect()
    assert memory() is None
    again = runtime.open(10)
    rows = random_rows(runtime, 3)
    assert_same(read(runtime, again, rows), read_alone(runtime, rows), "after another was closed")
