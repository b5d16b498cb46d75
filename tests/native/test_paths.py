"""Which products go through our own kernels, and that it does not matter for what comes out."""

from __future__ import annotations

import pytest

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import KVType, NativeRuntime, paths
from motet.runtime.native.kernels import best_level
from motet.runtime.native.paths import Kernels, choose
from tests.laws.checks import random_rows, read_alone
from tests.laws.tolerance import assert_same
from tests.native.models import native, read_case, tiny_native
from tests.tiny import Architecture, Case

pytestmark = pytest.mark.skipif(not best_level().is_fast, reason="no kernels for this processor")
DENSE = Case(Architecture.QWEN3, 1)


@pytest.mark.parametrize("case", [Case(Architecture.LFM2_MOE, 4), DENSE], ids=str)
def test_own_and_stock_kernels_agree_in_float32(case: Case) -> None:
    own, stock = tiny_native(case), native(case, kernels=Kernels.STOCK)
    assert any(path.is_own for path in own.paths.values())
    assert not any(path.is_own for path in stock.paths.values())
    rows = random_rows(own, 9)
    assert_same(read_alone(own, rows), read_alone(stock, rows), "own and stock")


def test_many_floats_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST_FLOAT_BYTES", 1000)
    runtime = NativeRuntime(read_case(DENSE), kv_type=KVType.F32, num_threads=1)
    assert {path.reason for path in runtime.paths.values()} == {"0 MB of floats"}


def test_a_feed_forward_goes_one_way_as_a_whole() -> None:
    model = read_case(DENSE)
    kinds = {name: (weight.type, weight.shape) for name, weight in model.weights.items()}
    down = "blk.0.ffn_down.weight"
    for weight, reason in (
        ((GGMLType.Q4_0, (64, 64)), "floats beside quantised weights"),
        ((GGMLType.F32, (64, 33)), "depth 33 is not a multiple of 32"),
    ):
        chosen = choose(model.hyperparameters, {**kinds, down: weight}, Kernels.OWN)
        for part in ("gate", "up", "down"):
            path = chosen[f"blk.0.ffn_{part}.weight"]
            assert (path.is_own, path.reason) == (False, reason)
