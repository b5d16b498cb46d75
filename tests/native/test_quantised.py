"""Law 16: quantised native stays within a stated divergence of float32, own kernels as ggml's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from motet.eval.divergence import Reference, compare
from motet.eval.passages import Passage
from motet.formats.ggml_types import GGMLType
from motet.formats.hyperparameters import Architecture
from motet.formats.quantize import Quant
from motet.runtime.native import KVType, Model, NativeRuntime, tiles
from motet.runtime.native.kernels import best_level
from motet.runtime.native.paths import Kernels
from motet.runtime.native.weights import Weight
from tests.laws.tolerance import HALF_SUMS, OWN_OVER_STOCK, ROUNDED, TOTAL
from tests.native.random_models import (
    VOCAB_SIZE,
    as_model,
    changed,
    draw,
    in_float32,
    layout_of,
    numbers_of,
)

CASES = [
    (Architecture.LFM2_MOE, 4),
    (Architecture.LFM2, 1),
    (Architecture.QWEN3, 4),
    (Architecture.LLAMA, 1),
]
NUM_CELLS = 192
QUANTS = [Quant(name) for name in TOTAL]
USED = list(Kernels) if best_level().is_fast else [Kernels.STOCK]
EACH = pytest.mark.parametrize(
    ("architecture", "num_channels"), CASES, ids=[f"{a}-C{C}" for a, C in CASES]
)


@cache
def model(architecture: Architecture, num_channels: int, quant: Quant) -> Model:
    numbers = numbers_of(architecture)
    arrays = draw(numbers, num_channels)
    return as_model(numbers, layout_of(num_channels), arrays, quant)


def opened(model: Model, kernels: Kernels = Kernels.STOCK) -> NativeRuntime:
    """Cache in float32, so that weights and products are all that rounds."""
    return NativeRuntime(model, kv_type=KVType.F32, num_threads=1, kernels=kernels)


def exactly(model: Model) -> Reference:
    """What a model in float32 predicts."""
    return Reference(opened(model), VOCAB_SIZE)


@cache
def reference(architecture: Architecture, num_channels: int) -> Reference:
    return exactly(model(architecture, num_channels, Quant.F32))


@cache
def passages(num_channels: int) -> list[Passage]:
    """Random rows."""
    num_rows = NUM_CELLS // (2 * max(1, num_channels - 1)) + 1
    shape = (2, num_rows, num_channels)
    grids = np.random.default_rng(1).integers(0, VOCAB_SIZE, shape, np.int32)
    return [Passage(grid_RC, 0) for grid_RC in grids]


def divergence(reference: Reference, runtime: NativeRuntime) -> float:
    """The median over cells."""
    rows = passages(runtime.layout.num_channels)
    cells = compare(reference, runtime, rows, lambda: None)
    assert len(cells.divergence_N) == NUM_CELLS
    return float(np.median(cells.divergence_N))


def check_total(
    reference: Reference, runtime: NativeRuntime, quant: Quant, kernels: Kernels
) -> float:
    """Law 16: as far from float32 as the type says, and no nearer; returns how far."""
    least, most = TOTAL[quant.value]
    if quant is Quant.F16 and kernels is Kernels.STOCK:
        most += HALF_SUMS
    found = divergence(reference, runtime)
    assert found <= most, f"law 16: {quant} diverges by {found:.2g}"
    assert found >= least, f"law 16: {quant} diverges by only {found:.2g}"
    return found


def check_rounded(same: Reference, runtime: NativeRuntime, quant: Quant, kernels: Kernels) -> None:
    """Law 16: what the blocks say is what is computed with. same: the blocks in float32."""
    found = divergence(same, runtime)
    most = ROUNDED[kernels.value][quant.value]
    assert found <= most, f"law 16: {quant} is computed with {found:.2g}"


@EACH
@pytest.mark.parametrize("quant", QUANTS)
def test_16_quantised(architecture: Architecture, num_channels: int, quant: Quant) -> None:
    exact, blocks = reference(architecture, num_channels), model(architecture, num_channels, quant)
    same, found = exactly(in_float32(blocks)), {}
    for kernels in USED:
        runtime = opened(blocks, kernels)
        takes_own = any(path.is_own for path in runtime.paths.values())
        assert takes_own == (kernels is Kernels.OWN)
        found[kernels] = check_total(exact, runtime, quant, kernels)
        check_rounded(same, runtime, quant, kernels)
    own, stock = found.get(Kernels.OWN, 0.0), found[Kernels.STOCK]
    assert own <= OWN_OVER_STOCK * stock, f"law 16: own kernels {own:.2g}, stock ggml {stock:.2g}"


Change = Callable[[str, Weight], Weight]


def in_one(kind: GGMLType, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Change the blocks [n, bytes] of the first layer's gate, if they are of this type."""

    def changed_weight(name: str, weight: Weight) -> Weight:
        if not name.startswith("blk.0.ffn_gate") or weight.type is not kind:
            return weight
        blocks = weight.data.reshape(-1, kind.block_bytes)
        return Weight(kind, weight.shape, np.ascontiguousarray(change(blocks.copy())).ravel())

    return changed_weight


def swap_nibbles(blocks: np.ndarray) -> np.ndarray:
    blocks[:, 2:] = blocks[:, 2:] << 4 | blocks[:, 2:] >> 4
    return blocks


def scale_of_the_next_block(blocks: np.ndarray) -> np.ndarray:
    blocks[:, :2] = np.roll(blocks[:, :2], 1, axis=0)
    return blocks


def forget_minima(blocks: np.ndarray) -> np.ndarray:
    blocks[:, 2:4] = 0
    return blocks


def forget_upper_bits_of_scales(blocks: np.ndarray) -> np.ndarray:
    blocks[:, 2:4] = 0xAA  # all -32 + 32: as if there were 4 bits only
    return blocks


def one_row_up(blocks: np.ndarray) -> np.ndarray:
    return np.roll(blocks, 256 // GGMLType.Q8_0.block_size, axis=0)


MUTANTS = [
    (Quant.Q4_0, in_one(GGMLType.Q4_0, swap_nibbles)),
    (Quant.Q4_0, in_one(GGMLType.Q4_0, scale_of_the_next_block)),
    (Quant.Q8_0, in_one(GGMLType.Q8_0, scale_of_the_next_block)),
    (Quant.Q8_0, in_one(GGMLType.Q8_0, one_row_up)),
    (Quant.Q4_K, in_one(GGMLType.Q4_K, forget_minima)),
    (Quant.Q5_K, in_one(GGMLType.Q5_K, forget_minima)),
    (Quant.IQ4_XS, in_one(GGMLType.IQ4_XS, forget_upper_bits_of_scales)),
]
MUTANT_CASE = Architecture.LFM2, 1


@pytest.mark.parametrize(("quant", "mutant"), MUTANTS)
def test_16_notices_blocks_read_wrong(quant: Quant, mutant: Change) -> None:
    blocks = model(*MUTANT_CASE, quant)
    broken = opened(changed(blocks, mutant), Kernels.OWN)
    with pytest.raises(AssertionError, match=r"law 16: .* is computed with"):
        check_rounded(exactly(in_float32(blocks)), broken, quant, Kernels.STOCK)


@pytest.mark.skipif(not best_level().is_fast, reason="no own kernels for this processor")
def test_16_notices_own_kernels_that_read_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    original = tiles.interleave

    def turned(kind: GGMLType, shape: tuple[int, ...], blocks: np.ndarray) -> np.ndarray:
        row_bytes = kind.num_bytes(shape[-1:])
        return original(kind, shape, np.roll(blocks, row_bytes))

    blocks = model(*MUTANT_CASE, Quant.Q8_0)
    monkeypatch.setattr(tiles, "interleave", turned)
    broken = opened(blocks, Kernels.OWN)
    with pytest.raises(AssertionError, match="law 16: q8_0 diverges by"):
        check_total(reference(*MUTANT_CASE), broken, Quant.Q8_0, Kernels.OWN)


@pytest.mark.parametrize(
    ("quant", "instead"),
    [(Quant.Q4_0, Quant.Q8_0), (Quant.Q8_0, Quant.F16), (Quant.F16, Quant.F32)],
)
def test_16_notices_weights_that_are_better_than_they_say(quant: Quant, instead: Quant) -> None:
    with pytest.raises(AssertionError, match=f"law 16: {quant} diverges by only"):
        check_total(
            reference(*MUTANT_CASE), opened(model(*MUTANT_CASE, instead)), quant, Kernels.STOCK
        )
