"""The torch runtime's forward: what it returns, what it refuses, and what it leaves alone."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Qwen3Config, Qwen3ForCausalLM

from motet.errors import (
    CheckpointError,
    ContextFullError,
    GridError,
    LayoutError,
    MotetError,
    StateError,
)
from motet.runtime import Wanted
from motet.runtime.torch import MultiStreamModel, TorchRuntime, TorchState
from motet.runtime.torch.runtime import PREFILL_ROWS
from tests.laws.checks import decode, random_rows, read, read_alone
from tests.laws.tolerance import assert_identical, assert_same
from tests.tiny import (
    CONTEXT_ROWS,
    VOCAB_SIZE,
    Architecture,
    Case,
    make_layout,
    make_model,
    stock_model,
    tiny_runtime,
)

C = 4
CASE = Case(Architecture.LFM2_MOE, C)


@pytest.fixture
def moe() -> TorchRuntime:
    return tiny_runtime(CASE)


def memory(state: TorchState) -> dict[str, Any]:
    """Everything in a state, copied."""
    pasts = {-1: state.conv, **state.snapshots}
    used = state.num_rows * state.tokens.shape[1]
    return {
        "rows": np.array([state.num_rows, state.max_rows]),
        "tokens": state.tokens.copy(),
        **{f"kv {i}": t[:, :, :used].clone().numpy() for i, t in state.kv.items()},
        **{f"conv {r} {i}": t.clone().numpy() for r, p in pasts.items() for i, t in p.items()},
    }


def assert_unchanged(state: TorchState, before: dict[str, Any]) -> None:
    after = memory(state)
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert np.array_equal(after[name], value), name


@pytest.mark.parametrize("channels", [None, [2, 0], [1], []], ids=str)
def test_wanted_rows_and_channels(moe: TorchRuntime, channels: list[int] | None) -> None:
    grids = [random_rows(moe, rows, seed) for seed, rows in enumerate((5, 1, 3))]
    whole = [read_alone(moe, grid) for grid in grids]
    columns = list(range(C)) if channels is None else channels
    for wanted, first in ((Wanted.ALL, lambda R: 0), (Wanted.LAST, lambda R: R - 1),
                          (Wanted.NONE, lambda R: R)):  # fmt: skip
        states = [moe.open(8) for _ in grids]
        got = moe.forward(states, grids, wanted=wanted, channels=channels)
        assert len(got) == 3
        for state, logits, grid, expected in zip(states, got, grids, whole, strict=True):
            rows = expected[first(len(grid)) :, columns]
            assert logits.dtype == np.float32
            assert logits.shape == rows.shape
            if rows.size:
                assert_same(logits, rows, f"{wanted} of {columns}")
            assert state.num_rows == len(grid)


def test_the_default_is_the_last_row(moe: TorchRuntime) -> None:
    rows = random_rows(moe, 4)
    (logits,) = moe.forward([moe.open(4)], [rows])
    assert logits.shape == (1, C, VOCAB_SIZE)
    assert_same(logits, read_alone(moe, rows)[-1:], "last row")


def test_an_empty_batch(moe: TorchRuntime) -> None:
    assert moe.forward([], []) == []


@pytest.mark.parametrize("wanted", list(Wanted))
def test_prefill_of_several_blocks_equals_decode(wanted: Wanted) -> None:
    """Ragged, around the block of 256 rows, up to its edge and one beyond."""
    runtime = tiny_runtime(Case(Architecture.LFM2, 2))
    lengths = [PREFILL_ROWS + 40, 3, PREFILL_ROWS, PREFILL_ROWS + 1]
    grids = [random_rows(runtime, n, seed) for seed, n in enumerate(lengths)]
    states = [runtime.open(n + 1) for n in lengths]
    got = runtime.forward(states, grids, wanted=wanted, channels=[1])
    for n, grid, state, logits in zip(lengths, grids, states, got, strict=True):
        stepped = runtime.open(n + 1)
        start = max(0, n - 45)
        if start:
            runtime.forward([stepped], [grid[:start]], wanted=Wanted.NONE)
        decoded = decode(runtime, stepped, grid[start:])[:, 1:]
        assert logits.shape[0] == {Wanted.ALL: n, Wanted.LAST: 1, Wanted.NONE: 0}[wanted]
        if wanted is Wanted.ALL:
            assert_same(logits[start:], decoded, f"{n} rows")
        if wanted is Wanted.LAST:
            assert_same(logits, decoded[-1:], f"{n} rows")
        assert state.num_rows == n
        after, expected = (read(runtime, s, grid[:1]) for s in (state, stepped))
        assert_same(after, expected, f"after {n} rows")


def bad_blocks() -> dict[str, tuple[Any, type[MotetError], str]]:
    good = np.zeros((2, C), np.int32)
    too_large, negative = good.copy(), good.copy()
    too_large[1, 3], negative[0, 0] = VOCAB_SIZE, -1
    return {
        "narrow": (good[:, :3], GridError, "[R >= 1, 4], got [2, 3]"),
        "wide": (np.zeros((2, C + 1), np.int32), GridError, "got [2, 5]"),
        "flat": (good[0], GridError, "got [4]"),
        "no rows": (good[:0], GridError, "got [0, 4]"),
        "id too large": (too_large, GridError, "0 to 63, got 0 to 64"),
        "negative id": (negative, GridError, "got -1 to 0"),
        "not integers": (good.astype(np.float32), GridError, "integer token ids, got float32"),
        "too many rows": (np.zeros((5, C), np.int32), ContextFullError, "at most 6 rows, got 7"),
    }


@pytest.mark.parametrize("name", bad_blocks())
@pytest.mark.parametrize("place", [0, 1])
def test_bad_rows_leave_all_states_untouched(moe: TorchRuntime, name: str, place: int) -> None:
    block, error, message = bad_blocks()[name]
    rows = random_rows(moe, 3)
    states = [moe.open(6), moe.open(6)]
    for state in states:
        read(moe, state, rows[:2])
    before = [memory(state) for state in states]
    blocks = [rows[2:], rows[2:]]
    blocks[place] = block
    with pytest.raises(error, match=re.escape(message)):
        moe.forward(states, blocks)
    for state, memorised in zip(states, before, strict=True):
        assert_unchanged(state, memorised)
        assert_same(read(moe, state, rows[2:]), read_alone(moe, rows)[2:], "after the error")


@pytest.mark.parametrize("channels", [[4], [-1], [0, 9]], ids=str)
def test_no_such_channel(moe: TorchRuntime, channels: list[int]) -> None:
    state = moe.open(4)
    before = memory(state)
    with pytest.raises(GridError, match="channels: expected 0 to 3"):
        moe.forward([state], [random_rows(moe, 1)], channels=channels)
    assert_unchanged(state, before)


def test_states_and_blocks_must_match(moe: TorchRuntime) -> None:
    row, state, other = random_rows(moe, 1), moe.open(4), moe.open(4)
    for states, num_blocks in (([state], 2), ([state, other], 1), ([state, state], 2)):
        with pytest.raises(GridError, match="distinct states"):
            moe.forward(states, [row] * num_blocks)
    assert (state.num_rows, other.num_rows) == (0, 0)


def test_a_forward_that_breaks_changes_nothing(
    moe: TorchRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even after attention has written its keys: they lie beyond the rows that count."""
    rows = random_rows(moe, 40)
    state = moe.open(50)
    read(moe, state, rows[:30])
    before = memory(state)
    with monkeypatch.context() as patch:
        patch.setattr(MultiStreamModel, "head", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            moe.forward([state], [random_rows(moe, 10, seed=1)])
    assert_unchanged(state, before)
    assert_same(read(moe, state, rows[30:]), read_alone(moe, rows)[30:], "after the failure")


def test_an_inactive_state_keeps_every_bit(moe: TorchRuntime) -> None:
    resting, active = moe.open(80), moe.open(80)
    read(moe, resting, random_rows(moe, 40))
    before = memory(resting)
    read(moe, active, random_rows(moe, 40, seed=1))
    decode(moe, active, random_rows(moe, 3, seed=2))
    child = resting.fork()
    read(moe, child, random_rows(moe, 30, seed=3))
    moe.truncate(child, 5)
    assert_unchanged(resting, before)


def test_the_last_row_of_the_context_can_be_read(moe: TorchRuntime) -> None:
    state = moe.open(3)
    rows = random_rows(moe, 3)
    assert_same(decode(moe, state, rows), read_alone(moe, rows), "to the brim")
    with pytest.raises(ContextFullError, match="at most 3 rows, got 4"):
        moe.forward([state], [rows[:1]])
    assert state.fork().max_rows == 3
    moe.truncate(state, 2)
    assert_same(read(moe, state, rows[2:]), read_alone(moe, rows)[2:], "room again")


@pytest.mark.parametrize("max_rows", [0, -1, CONTEXT_ROWS + 1])
def test_open_out_of_range(moe: TorchRuntime, max_rows: int) -> None:
    with pytest.raises(StateError, match=f"1 to {CONTEXT_ROWS}, got {max_rows}"):
        moe.open(max_rows)


@pytest.mark.parametrize("num_rows", [-1, 4])
def test_truncate_out_of_range(moe: TorchRuntime, num_rows: int) -> None:
    state = moe.open(9)
    read(moe, state, random_rows(moe, 3))
    before = memory(state)
    with pytest.raises(StateError, match=f"0 to 3 rows, got {num_rows}"):
        moe.truncate(state, num_rows)
    assert_unchanged(state, before)


def test_what_a_runtime_says_of_itself(moe: TorchRuntime) -> None:
    assert moe.layout == make_layout(CASE)
    assert (moe.vocab_size, moe.context_rows) == (VOCAB_SIZE, CONTEXT_ROWS)


def test_buffers_are_reserved_once(moe: TorchRuntime) -> None:
    """Two attention layers [2, G=2, 40 * 4, K=8] and two conv layers [2, 4, 32] of float32."""
    state = moe.open(40)
    kv_bytes, conv_bytes = 2 * (2 * 2 * 40 * C * 8) * 4, 2 * (2 * C * 32) * 4
    assert state.num_bytes - kv_bytes in (conv_bytes, 2 * conv_bytes)  # now, and the snapshot
    places = [buffer.data_ptr() for buffer in state.kv.values()]
    decode(moe, state, random_rows(moe, 40))
    assert [buffer.data_ptr() for buffer in state.kv.values()] == places
    assert state.num_bytes <= kv_bytes + 3 * conv_bytes


def test_tokens_are_a_copy(moe: TorchRuntime) -> None:
    state, rows = moe.open(5), random_rows(moe, 3)
    read(moe, state, rows)
    state.tokens_RC[:] = 0
    assert_identical(state.tokens_RC, rows, "tokens")


def test_bfloat16() -> None:
    """The runtime keeps the model's type inside and speaks float32; bfloat16 has 8 bits."""
    case = Case(Architecture.LFM2, C)
    runtime = TorchRuntime(make_model(case).to(torch.bfloat16))
    rows = random_rows(runtime, 6)
    state = runtime.open(6)
    assert {t.dtype for t in (*state.kv.values(), *state.conv.values())} == {torch.bfloat16}
    logits, exact = decode(runtime, state, rows), read_alone(tiny_runtime(case), rows)
    assert logits.dtype == np.float32
    assert np.corrcoef(logits.ravel(), exact.ravel())[0, 1] > 0.99


def test_alien_architecture() -> None:
    alien = GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=8))
    with pytest.raises(CheckpointError, match="lfm2_moe or lfm2 or qwen3, got 'gpt2'"):
        MultiStreamModel(alien, make_layout(CASE))


def test_sliding_window_is_refused() -> None:
    config = Qwen3Config(
        vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=2, head_dim=8,
        num_attention_heads=1, num_key_value_heads=1, use_sliding_window=True, sliding_window=4,
        max_window_layers=1,
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=r"layer types.*sliding_attention"):
        MultiStreamModel(Qwen3ForCausalLM(config), make_layout(CASE))


def test_training_forward_of_another_width() -> None:
    with pytest.raises(LayoutError, match="4 channels, got 3"):
        tiny_runtime(CASE).model(torch.zeros(1, 2, 3, dtype=torch.long))


def test_a_fresh_channel_embedding_is_small() -> None:
    """A stock model made multi-stream for training starts near itself, not at random noise."""
    model = MultiStreamModel(stock_model(Architecture.LFM2), make_layout(CASE))
    assert model.channel_embedding is not None
    deviation = model.channel_embedding.weight.std().item()
    assert 0.5 < deviation / model.config.initializer_range < 2
