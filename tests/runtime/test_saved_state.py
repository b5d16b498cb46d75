"""A state file is whole and of this model, or it is a StateError."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from motet.errors import StateError
from motet.runtime.torch import TorchRuntime, TorchState, saved
from motet.streams import ConvMode
from tests.laws.checks import random_rows, read
from tests.laws.tolerance import assert_identical
from tests.tiny import Architecture, Case, make_model, tiny_runtime

CASE = Case(Architecture.LFM2_MOE, 4)
RUNTIME = tiny_runtime(CASE)
NUM_ROWS, MAX_ROWS = 40, 60

Parts = tuple[dict[str, Tensor], dict[str, str]]  # tensors and metadata


@pytest.fixture(scope="module")
def state() -> TorchState:
    opened = RUNTIME.open(MAX_ROWS)
    read(RUNTIME, opened, random_rows(RUNTIME, NUM_ROWS))
    return opened


@pytest.fixture
def path(state: TorchState, tmp_path: Path) -> Path:
    RUNTIME.save_state(state, tmp_path / "state")
    return tmp_path / "state"


def load_again(state: TorchState, path: Path) -> None:
    """Load, and the next row comes out the same to the last bit."""
    row = random_rows(RUNTIME, 1, seed=9)
    expected = read(RUNTIME, state.fork(), row)
    assert_identical(read(RUNTIME, RUNTIME.load_state(path), row), expected, "next row")


def test_round_trip(state: TorchState, path: Path) -> None:
    loaded = RUNTIME.load_state(path)
    assert (loaded.num_rows, loaded.max_rows) == (NUM_ROWS, MAX_ROWS)
    assert loaded.snapshots.keys() == state.snapshots.keys() == {0, 32}
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


def test_what_was_read_before_is_not_in_the_file(path: Path, tmp_path: Path) -> None:
    """Size follows the rows read, not the rows reserved."""
    RUNTIME.save_state(RUNTIME.open(500), tmp_path / "reserved")
    assert (tmp_path / "reserved").stat().st_size < path.stat().st_size


def test_interrupted_save_keeps_the_old_file(
    state: TorchState, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_t: object, partial: Path, _m: object) -> None:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(saved, "save_file", interrupted)
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
    for size in (*range(0, 3000, 41), *range(3000, len(content), 2003), len(content) - 1):
        broken.write_bytes(content[:size])
        with pytest.raises(StateError, match="broken"):
            RUNTIME.load_state(broken)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b"\xff" * 100, b"PK\x03\x04" * 9])
def test_alien_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "alien").write_bytes(content)
    with pytest.raises(StateError, match="alien"):
        RUNTIME.load_state(tmp_path / "alien")


def test_changed_header(state: TorchState, path: Path, tmp_path: Path) -> None:
    """A flipped byte in the header is a StateError, or the state is the same."""
    content = path.read_bytes()
    header_size = 8 + int.from_bytes(content[:8], "little")
    num_noticed = 0
    for place in range(0, header_size, 7):
        broken = bytearray(content)
        broken[place] ^= 0x04
        (tmp_path / "flipped").write_bytes(broken)
        try:
            loaded = RUNTIME.load_state(tmp_path / "flipped")
        except StateError:
            num_noticed += 1
        else:
            assert loaded.num_rows == NUM_ROWS
    assert num_noticed > header_size / 7 / 2


def rewrite(path: Path, change: Callable[[Parts], object]) -> None:
    """A well-formed file with other parts."""
    with safe_open(path, framework="pt") as file:
        parts = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118
    change(parts)
    save_file(parts[0], path, parts[1])


def test_rewriting_alone_does_no_harm(state: TorchState, path: Path) -> None:
    rewrite(path, lambda parts: None)
    load_again(state, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p[1].clear(),
        lambda p: p[1].update(motet_state="2"),
        lambda p: p[1].pop("layout"),
        lambda p: p[1].update(layout="{"),
        lambda p: p[1].update(layout="[]"),
        lambda p: p[1].pop("weights"),
        lambda p: p[1].pop("num_rows"),
        lambda p: p[1].update(num_rows="many"),
        lambda p: p[1].update(num_rows="39"),
        lambda p: p[1].update(num_rows="61"),
        lambda p: p[1].update(num_rows="-20"),
        lambda p: p[1].update(max_rows="39"),
        lambda p: p[1].update(max_rows="513"),
        lambda p: p[1].update(max_rows="0"),
        lambda p: p[0].pop("tokens"),
        lambda p: p[0].pop("kv.1"),
        lambda p: p[0].pop("conv.-1.0"),
        lambda p: [p[0].pop("conv.-1.0"), p[0].pop("conv.-1.2")],
        lambda p: [p[0].pop("conv.0.0"), p[0].pop("conv.0.2")],
        lambda p: [p[0].pop("conv.32.0"), p[0].pop("conv.32.2")],
        lambda p: p[0].update(
            {"conv.33.0": p[0].pop("conv.32.0"), "conv.33.2": p[0].pop("conv.32.2")}
        ),
        lambda p: p[0].update({"conv.32.1": p[0]["conv.32.0"].clone()}),
        lambda p: p[0].update({"conv.x.0": p[0]["conv.32.0"].clone()}),
        lambda p: p[0].update({"more": torch.zeros(1)}),
        lambda p: p[0].update(tokens=p[0]["tokens"].long()),
        lambda p: p[0].update(tokens=p[0]["tokens"][:, :3].clone()),
        lambda p: p[0].update({"kv.1": p[0]["kv.1"].bfloat16()}),
        lambda p: p[0].update({"kv.1": p[0]["kv.1"][:, :, :-4].clone()}),
        lambda p: p[0].update({"conv.-1.0": p[0]["conv.-1.0"][:1].clone()}),
    ],
)
def test_other_parts(path: Path, change: Callable[[Parts], object]) -> None:
    rewrite(path, change)
    with pytest.raises(StateError, match=re.escape(str(path))):
        RUNTIME.load_state(path)


def other_weights() -> TorchRuntime:
    """One expert bias differs: nothing in shapes or layout tells."""
    model = make_model(CASE)
    model.base.model.layers[2].feed_forward.expert_bias[3] += 0.5
    return TorchRuntime(model)


def other_channel_embedding() -> TorchRuntime:
    model = make_model(CASE)
    assert model.channel_embedding is not None
    model.channel_embedding.weight.data[1] += 0.5
    return TorchRuntime(model)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: tiny_runtime(replace(CASE, num_channels=5)), "another layout"),
        (lambda: tiny_runtime(replace(CASE, conv_mode=ConvMode.ROW_BOUNDARY)), "another layout"),
        (lambda: tiny_runtime(replace(CASE, channel_embedding=False)), "another layout"),
        (lambda: tiny_runtime(replace(CASE, architecture=Architecture.LFM2)), "other weights"),
        (lambda: tiny_runtime(replace(CASE, architecture=Architecture.QWEN3)), "other weights"),
        (lambda: TorchRuntime(make_model(CASE).to(torch.bfloat16)), "other weights"),
        (other_weights, "other weights"),
        (other_channel_embedding, "other weights"),
    ],
    ids=["C", "conv mode", "no embedding", "lfm2", "qwen3", "bfloat16", "bias", "embedding"],
)
def test_another_model(path: Path, make: Callable[[], TorchRuntime], named: str) -> None:
    with pytest.raises(StateError, match=named):
        make().load_state(path)


def test_the_same_model_made_anew(state: TorchState, path: Path) -> None:
    again = TorchRuntime(make_model(CASE))
    assert np.array_equal(again.load_state(path).tokens_RC, state.tokens_RC)
