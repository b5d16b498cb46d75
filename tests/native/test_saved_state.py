"""A state file is whole and of this model, or it is a StateError."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.errors import StateError
from motet.formats.names import CHANNEL_EMBEDDING
from motet.runtime.native import KVType, NativeRuntime, NativeState, saved
from motet.runtime.native.weights import weight_of
from motet.streams import ConvMode
from tests.laws.checks import random_rows, read
from tests.laws.tolerance import assert_identical
from tests.native.models import native, tiny_native
from tests.tiny import Architecture, Case

CASE = Case(Architecture.LFM2_MOE, 4)
RUNTIME = tiny_native(CASE)
NUM_ROWS, MAX_ROWS = 70, 90
START = len(saved.MAGIC) + 4


@pytest.fixture(scope="module")
def state() -> NativeState:
    opened = RUNTIME.open(MAX_ROWS)
    read(RUNTIME, opened, random_rows(RUNTIME, NUM_ROWS))
    return opened


@pytest.fixture
def path(state: NativeState, tmp_path: Path) -> Path:
    RUNTIME.save_state(state, tmp_path / "state")
    return tmp_path / "state"


def load_again(state: NativeState, path: Path) -> None:
    """Load, and the next row comes out the same to the last bit; cutting back works too."""
    row = random_rows(RUNTIME, 1, seed=9)
    expected = read(RUNTIME, state.fork(), row)
    loaded = RUNTIME.load_state(path)
    assert_identical(read(RUNTIME, loaded, row), expected, "next row")
    for num_rows in (66, 65, 63, 2):
        mine, theirs = state.fork(), RUNTIME.load_state(path)
        for one in (mine, theirs):
            RUNTIME.truncate(one, num_rows)
        assert_identical(read(RUNTIME, theirs, row), read(RUNTIME, mine, row), f"cut to {num_rows}")


def test_round_trip(state: NativeState, path: Path) -> None:
    loaded = RUNTIME.load_state(path)
    assert (loaded.num_rows, loaded.max_rows) == (NUM_ROWS, MAX_ROWS)
    load_again(state, path)
    assert [p.name for p in path.parent.iterdir()] == ["state"]


def test_an_empty_state(tmp_path: Path) -> None:
    RUNTIME.save_state(RUNTIME.open(5), tmp_path / "state")
    loaded = RUNTIME.load_state(tmp_path / "state")
    assert (loaded.num_rows, loaded.max_rows) == (0, 5)
    rows = random_rows(RUNTIME, 2)
    assert_identical(
        read(RUNTIME, loaded, rows), read(RUNTIME, RUNTIME.open(5), rows), "first rows"
    )


def test_what_was_cut_off_is_not_in_the_file(state: NativeState, tmp_path: Path) -> None:
    """Size follows the rows read, not the rows reserved or once read."""
    cut = state.fork()
    RUNTIME.truncate(cut, 1)
    RUNTIME.save_state(cut, tmp_path / "cut")
    fresh = RUNTIME.open(MAX_ROWS)
    read(RUNTIME, fresh, random_rows(RUNTIME, 1))
    RUNTIME.save_state(fresh, tmp_path / "fresh")
    sizes = {name: (tmp_path / name).stat().st_size for name in ("cut", "fresh")}
    assert sizes["cut"] < sizes["fresh"] + 100


def test_interrupted_save_keeps_the_old_file(
    state: NativeState, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: NativeState) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(NativeState, "parts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            RUNTIME.save_state(RUNTIME.open(5), path)
    load_again(state, path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no such file"):
        RUNTIME.load_state(tmp_path / "none")
    with pytest.raises(StateError):
        RUNTIME.load_state(tmp_path)


def test_truncated_file(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    broken = tmp_path / "broken"
    for size in (*range(0, 3000, 41), *range(3000, len(content), 9001), len(content) - 1):
        broken.write_bytes(content[:size])
        with pytest.raises(StateError, match="broken"):
            RUNTIME.load_state(broken)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\x00" * 100, b"\xff" * 100, saved.MAGIC, saved.MAGIC + b"\xff" * 50,
     saved.MAGIC + b"\x02\x00\x00\x00{}", saved.MAGIC + b"\x04\x00\x00\x00null"],
)  # fmt: skip
def test_alien_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "alien").write_bytes(content)
    with pytest.raises(StateError, match="alien"):
        RUNTIME.load_state(tmp_path / "alien")


def test_any_changed_byte_is_noticed(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    places = np.random.default_rng(0).integers(0, len(content), 60)
    for place in (*range(0, START, 3), *places):
        broken = bytearray(content)
        broken[place] ^= 0x10
        (tmp_path / "flipped").write_bytes(broken)
        try:
            loaded = RUNTIME.load_state(tmp_path / "flipped")
        except StateError:
            continue
        assert loaded.num_rows == NUM_ROWS, place  # a blank, or how much room to reserve


def rewrite(path: Path, **changes: object) -> None:
    """A well-formed file with another header; a value of ... takes a key away."""
    content = path.read_bytes()
    length = int.from_bytes(content[START - 4 : START], "little")
    header = json.loads(content[START : START + length])
    header = {k: v for k, v in {**header, **changes}.items() if v is not ...}
    text = json.dumps(header).encode()
    rest = content[START + length :]
    path.write_bytes(saved.MAGIC + len(text).to_bytes(4, "little") + text + rest)


def test_rewriting_alone_does_no_harm(state: NativeState, path: Path) -> None:
    rewrite(path)
    load_again(state, path)


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": ...},
        {"layout": {}},
        {"layout": None},
        {"weights": ...},
        {"weights": 7},
        {"num_rows": ...},
        {"num_rows": "70"},
        {"num_rows": 69},
        {"num_rows": 71},
        {"num_rows": 91},
        {"num_rows": -1},
        {"num_rows": True},
        {"max_rows": 69},
        {"max_rows": 0},
        {"max_rows": 513},
        {"max_rows": 10**30},
        {"max_rows": 1.5},
        {"ring_from": -1},
        {"ring_from": 71},
        {"ring_from": None},
        {"kv_type": "F16"},
        {"kv_type": ["F32"]},
        {"crc": 0},
        {"crc": ...},
        {"more": 1},
    ],
    ids=str,
)
def test_other_headers(path: Path, changes: dict[str, object]) -> None:
    rewrite(path, **changes)
    with pytest.raises(StateError, match=str(path)):
        RUNTIME.load_state(path)


def changed(name: str, place: tuple[int, ...]) -> Callable[[], NativeRuntime]:
    """The same model with one number changed."""

    def make() -> NativeRuntime:
        numbers = RUNTIME.model.weights[name].floats()
        numbers[place] += 0.5
        weights = {**RUNTIME.model.weights, name: weight_of(numbers)}
        model = replace(RUNTIME.model, weights=weights)
        return NativeRuntime(model, kv_type=KVType.F32, num_threads=1)

    return make


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: native(replace(CASE, num_channels=5)), "another layout"),
        (lambda: native(replace(CASE, conv_mode=ConvMode.ROW_BOUNDARY)), "another layout"),
        (lambda: native(replace(CASE, channel_embedding=False)), "another layout"),
        (lambda: native(replace(CASE, architecture=Architecture.LFM2)), "other weights"),
        (lambda: native(replace(CASE, architecture=Architecture.QWEN3)), "other weights"),
        (lambda: native(CASE, kv_type=KVType.F16), "expected f16, got f32"),
        (changed("blk.2.exp_probs_b.bias", (3,)), "other weights"),
        (changed(CHANNEL_EMBEDDING, (1, 5)), "other weights"),
    ],
    ids=["C", "conv mode", "no embedding", "lfm2", "qwen3", "cache", "bias", "embedding"],
)
def test_another_model(path: Path, make: Callable[[], NativeRuntime], named: str) -> None:
    with pytest.raises(StateError, match=named):
        make().load_state(path)


def test_the_same_model_made_anew(state: NativeState, path: Path) -> None:
    assert np.array_equal(native(CASE).load_state(path).tokens_RC, state.tokens_RC)
