"""Models that no operation could take are refused, because ggml would end the process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType
from motet.runtime.native import NativeRuntime, support
from motet.runtime.native.support import has_products
from motet.runtime.native.weights import Weight
from tests.laws.checks import random_rows, read_alone
from tests.laws.tolerance import assert_identical, assert_seen
from tests.native.models import read_case, tiny_native
from tests.tiny import Architecture, Case

CASE = Case(Architecture.LFM2_MOE, 4)
MODEL = read_case(CASE)


def with_type(name: str, kind: GGMLType) -> NativeRuntime:
    """The tiny model with one tensor of another type (its numbers are zeros)."""
    shape = MODEL.weights[name].shape
    size = max(kind.num_bytes(shape), kind.block_bytes)
    weight = Weight(kind, shape, np.zeros(size, np.uint8))
    return NativeRuntime(replace(MODEL, weights={**MODEL.weights, name: weight}), num_threads=1)


@pytest.mark.parametrize(
    "name",
    [
        "blk.1.attn_norm.weight",
        "blk.1.attn_q_norm.weight",
        "blk.2.exp_probs_b.bias",
        "token_embd_norm.weight",
        "channel_embd.weight",
    ],
)
@pytest.mark.parametrize("kind", [GGMLType.F16, GGMLType.BF16, GGMLType.I32], ids=lambda k: k.name)
def test_what_is_added_or_scaled_with_is_float32(name: str, kind: GGMLType) -> None:
    with pytest.raises(CheckpointError, match=f"tensor {name}: expected F32, got {kind.name}"):
        with_type(name, kind)


@pytest.mark.parametrize(
    "kind",
    [GGMLType.I8, GGMLType.I32, GGMLType.F64, GGMLType.Q8_1, GGMLType.Q8_K],
    ids=lambda kind: kind.name,
)
@pytest.mark.parametrize(
    "name", ["token_embd.weight", "blk.1.attn_q.weight", "blk.1.ffn_up_exps.weight"]
)
def test_products_that_ggml_does_not_have(name: str, kind: GGMLType) -> None:
    with pytest.raises(CheckpointError, match=f"tensor {name}: expected a type that ggml has prod"):
        with_type(name, kind)


def test_products_that_it_has() -> None:
    for name in (
        "F32",
        "F16",
        "BF16",
        "Q8_0",
        "Q4_0",
        "Q4_1",
        "Q5_0",
        "Q5_1",
        "Q4_K",
        "Q6_K",
        "IQ4_XS",
    ):
        assert has_products(GGMLType[name]), name


def test_taps_may_be_halves() -> None:
    name = "blk.0.shortconv.conv.weight"
    with pytest.raises(CheckpointError, match="expected F32 or F16, got BF16"):
        with_type(name, GGMLType.BF16)
    taps = MODEL.weights[name].floats().astype(np.float16)
    data = np.ascontiguousarray(taps).reshape(-1).view(np.uint8)
    halves = {**MODEL.weights, name: Weight(GGMLType.F16, taps.shape, data)}
    rows = random_rows(tiny_native(CASE), 4)
    runtime = NativeRuntime(replace(MODEL, weights=halves), num_threads=1)
    none = with_type(name, GGMLType.F16)
    assert_seen(read_alone(runtime, rows), read_alone(none, rows), "the taps")
    assert_identical(read_alone(runtime, rows), read_alone(runtime, rows), "again")


@pytest.mark.parametrize("limit", ["MAX_HEAD_WIDTH", "RING_ROWS"])
def test_sizes_beyond_the_kernels(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, limit, 2)
    with pytest.raises(CheckpointError, match="at most 2"):
        NativeRuntime(MODEL)


def test_layers_of_different_kv_heads() -> None:
    numbers = replace(MODEL.hyperparameters, num_kv_heads=(0, 2, 0, 4))
    with pytest.raises(CheckpointError, match=r"KV heads: expected as many .*, got \[2, 4\] of 8"):
        NativeRuntime(replace(MODEL, hyperparameters=numbers))
