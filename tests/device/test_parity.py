"""Laws 15 and 16 on a device: as torch in float32, and as ggml on the processor when quantised."""

from __future__ import annotations

import numpy as np
import pytest

from motet.formats.hyperparameters import Architecture as Kind
from motet.formats.quantize import Quant
from motet.runtime.device import DeviceRuntime
from motet.runtime.device import places as places_module
from motet.runtime.device import runtime as runtime_module
from motet.runtime.native import KVType, NativeRuntime
from motet.runtime.native.paths import Kernels
from motet.runtime.protocol import Wanted
from motet.streams import ConvMode
from tests.device.models import CASES, DEVICE, on_device, opened, tiny_on_device
from tests.laws.checks import decode, random_rows, read, read_alone
from tests.laws.tolerance import ROUNDED, assert_same
from tests.native.models import native_llama
from tests.native.random_models import as_model, draw, in_float32, layout_of, numbers_of
from tests.native.test_parity import llama_logits
from tests.tiny import Architecture, Case, tiny_runtime

MORE = [
    Case(Architecture.LFM2_MOE, 1),
    Case(Architecture.LFM2_MOE, 4, ConvMode.ROW_BOUNDARY),
    Case(Architecture.LFM2, 5),
    Case(Architecture.LFM2, 1, ConvMode.ROW_BOUNDARY),
]


@pytest.mark.parametrize("case", [*CASES, *MORE], ids=str)
def test_logits(case: Case) -> None:
    mine, torchs = tiny_on_device(case), tiny_runtime(case)
    rows = random_rows(mine, 24)
    expected = read_alone(torchs, rows)
    assert_same(read_alone(mine, rows), expected, "law 15: prefill")
    assert_same(decode(mine, mine.open(24), rows), expected, "law 15: decode")


@pytest.mark.parametrize("num_channels", [1, 4])
def test_llama(num_channels: int) -> None:
    mine = opened(native_llama(num_channels).model)
    rows = random_rows(mine, 12)
    expected = llama_logits(num_channels, rows)
    assert_same(read_alone(mine, rows), expected, "law 15: llama")
    assert_same(decode(mine, mine.open(12), rows), expected, "law 15: llama, decode")


@pytest.mark.parametrize("wanted", list(Wanted))
@pytest.mark.parametrize("channels", [None, [2, 0], []], ids=str)
def test_a_ragged_batch_of_long_sessions(wanted: Wanted, channels: list[int] | None) -> None:
    """Beyond one graph, one ring, one snapshot and one step of attention's span."""
    case = Case(Architecture.LFM2_MOE, 4)
    mine, torchs = tiny_on_device(case), tiny_runtime(case)
    grids = [random_rows(mine, n, seed) for seed, n in enumerate((150, 3, 90))]
    both = []
    for runtime in (mine, torchs):
        states = [runtime.open(160) for _ in grids]
        read(runtime, states[0], grids[0][:70])
        blocks = [grids[0][70:], *grids[1:]]
        both.append(runtime.forward(states, blocks, wanted=wanted, channels=channels))
        both[-1] += runtime.forward(states[1:], [grids[0][:2], grids[0][:1]])
    for mine_logits, torch_logits in zip(*both, strict=True):
        assert mine_logits.shape == torch_logits.shape
        if mine_logits.size:
            assert_same(mine_logits, torch_logits, "law 15: ragged")


def test_few_scores_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that scores take is bounded by reading fewer rows at once."""
    case = Case(Architecture.QWEN3, 4)
    mine, rows = tiny_on_device(case), random_rows(tiny_on_device(case), 40)
    expected = read_alone(mine, rows)
    widths: list[int] = []
    original = places_module.mask

    def mask(piece: object) -> np.ndarray:
        made = original(piece)  # type: ignore[arg-type]
        widths.append(made.size)
        return made

    monkeypatch.setattr(places_module, "mask", mask)
    monkeypatch.setattr(runtime_module, "MAX_SCORES", 1 << 12)
    assert_same(read_alone(mine, rows), expected, "law 2: a few cells at a time")
    num_heads = mine.model.hyperparameters.num_heads
    assert max(widths) * num_heads <= 1 << 12


def test_a_cache_of_half_precision() -> None:
    case = Case(Architecture.LFM2, 4)
    mine, exact = on_device(case, kv_type=KVType.F16), tiny_runtime(case)
    rows = random_rows(mine, 30)
    difference = np.abs(read_alone(mine, rows) - read_alone(exact, rows)).max()
    assert 1e-6 < difference < 0.1
    assert mine.open(8).num_bytes < tiny_on_device(case).open(8).num_bytes


QUANTISED = [
    (Kind.LFM2_MOE, 4, Quant.Q8_0),
    (Kind.LFM2_MOE, 4, Quant.Q4_0),
    (Kind.LFM2_MOE, 1, Quant.Q4_K),
    (Kind.QWEN3, 4, Quant.Q6_K),
    (Kind.LLAMA, 1, Quant.F16),
]


@pytest.mark.parametrize(
    ("kind", "num_channels", "quant"), QUANTISED, ids=[f"{k}-C{C}-{q}" for k, C, q in QUANTISED]
)
def test_16_quantised(kind: Kind, num_channels: int, quant: Quant) -> None:
    """Blocks are computed with as they say; on the processor as ggml does in the native runtime.

    Attention sums in another order there, which turns a rounding to 8 bits now and then.
    """
    numbers = numbers_of(kind)
    blocks = as_model(numbers, layout_of(num_channels), draw(numbers, num_channels), quant)
    mine, most = opened(blocks), ROUNDED["stock"][quant.value]
    rows = random_rows(mine, 192 // num_channels)
    got = read_alone(mine, rows)
    if DEVICE.is_cpu:
        stock = NativeRuntime(blocks, kv_type=KVType.F32, num_threads=1, kernels=Kernels.STOCK)
        found = _divergence(read_alone(stock, rows), got)
        assert found <= most / 2, f"law 16: {quant} is {found:.2g} from ggml on the processor"
    found = _divergence(read_alone(opened(in_float32(blocks)), rows), got)
    assert found <= most, f"law 16: {quant} is computed with {found:.2g}"


def _divergence(expected: np.ndarray, got: np.ndarray) -> float:
    """Median over cells of the KL divergence in nats."""
    log_p, log_q = (
        logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        for logits in (expected.astype(np.float64), got.astype(np.float64))
    )
    return float(np.median((np.exp(log_p) * (log_p - log_q)).sum(-1)))


def test_another_embedding_than_the_head() -> None:
    """Where there is a head, the table of embeddings stays on the host."""
    runtime: DeviceRuntime = opened(native_llama(1).model)
    assert "token_embd.weight" not in runtime._weights.tensors
    tied = tiny_on_device(CASES[0])
    assert "token_embd.weight" in tied._weights.tensors
