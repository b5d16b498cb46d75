"""Law 15: the native runtime equals torch on the same weights, in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from motet.runtime.native import NativeRuntime
from motet.streams import ConvMode
from tests.laws.checks import Logits, decode, random_rows, read, read_alone
from tests.laws.tolerance import assert_same
from tests.native.models import (
    CASES,
    channel_embedding_CD,
    native,
    native_llama,
    stock_llama,
    tiny_native,
)
from tests.tiny import Architecture, Case, tiny_runtime

MORE = [
    Case(Architecture.LFM2_MOE, 4, ConvMode.ROW_BOUNDARY),
    Case(Architecture.LFM2_MOE, 1, channel_embedding=False),
    Case(Architecture.LFM2, 2),
    Case(Architecture.QWEN3, 1, channel_embedding=False),
]


@pytest.mark.parametrize("case", [*CASES, *MORE], ids=str)
def test_logits(case: Case) -> None:
    mine, torchs = tiny_native(case), tiny_runtime(case)
    rows = random_rows(mine, 24)
    expected = read_alone(torchs, rows)
    assert_same(read_alone(mine, rows), expected, "law 15: prefill")
    assert_same(decode(mine, mine.open(24), rows), expected, "law 15: decode")


def test_a_ragged_batch_of_long_sessions() -> None:
    """Beyond one graph, one ring and one snapshot."""
    case = Case(Architecture.LFM2_MOE, 4)
    mine, torchs = native(case), tiny_runtime(case)
    grids = [random_rows(mine, n, seed) for seed, n in enumerate((150, 3, 90))]
    both = []
    for runtime in (mine, torchs):
        states = [runtime.open(160) for _ in grids]
        read(runtime, states[0], grids[0][:70])
        blocks = [grids[0][70:], *grids[1:]]
        both.append(runtime.forward(states, blocks))
    for mine_logits, torch_logits in zip(*both, strict=True):
        assert_same(mine_logits, torch_logits, "law 15: ragged")


def llama_logits(num_channels: int, rows_RC: np.ndarray[Any, np.dtype[np.int32]]) -> Logits:
    """Stock Llama with the mask and the positions of a grid, given as any mask may be."""
    base = stock_llama()
    R, C = rows_RC.shape
    row_T = torch.arange(R * C) // C
    visible_TT = (row_T[None] < row_T[:, None]) | torch.eye(R * C, dtype=torch.bool)
    mask = torch.zeros(1, 1, R * C, R * C).masked_fill(~visible_TT, float("-inf"))
    embeds = base.model.embed_tokens(torch.from_numpy(rows_RC).long().reshape(1, -1))
    if num_channels > 1:
        embeds = embeds + channel_embedding_CD(num_channels).repeat(R, 1)
    with torch.no_grad():
        logits = base(inputs_embeds=embeds, attention_mask=mask, position_ids=row_T[None]).logits
    result: Logits = logits[0].numpy().reshape(R, C, -1)
    return result


@pytest.mark.parametrize("num_channels", [1, 4])
def test_llama(num_channels: int) -> None:
    """transformers turns halves of a head, llama.cpp's files neighbours: rows are reordered."""
    mine = native_llama(num_channels)
    rows = random_rows(mine, 12)
    expected = llama_logits(num_channels, rows)
    assert_same(read_alone(mine, rows), expected, "law 15: llama")
    assert_same(decode(mine, mine.open(12), rows), expected, "law 15: llama, decode")


@pytest.mark.parametrize("num_threads", [2, 3])
def test_threads_change_no_bit(num_threads: int) -> None:
    for case in (Case(Architecture.LFM2_MOE, 4), Case(Architecture.QWEN3, 4)):
        one, more = tiny_native(case), native(case, num_threads=num_threads)
        rows = random_rows(one, 30)
        assert np.array_equal(read_alone(one, rows), read_alone(more, rows))


def test_company_changes_no_bit() -> None:
    """What shares a forward with a session, and how its rows are cut, is nothing to its logits."""
    runtime: NativeRuntime = tiny_native(Case(Architecture.LFM2_MOE, 4))
    grids = [random_rows(runtime, n, seed) for seed, n in enumerate((9, 1, 4))]
    alone = [decode(runtime, runtime.open(9), grid) for grid in grids]
    together = runtime.forward([runtime.open(9) for _ in grids], grids)
    for logits, expected in zip(together, alone, strict=True):
        assert np.array_equal(logits[-1], expected[-1])
