"""Lines that hold several conversations, and attention by blocks of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from motet.runtime.torch import whole
from motet.runtime.torch.conversations import PADDING, Conversations, Run, runs_of
from motet.runtime.torch.whole import WholeGrids
from motet.streams import ConvMode
from tests.laws.tolerance import assert_same, assert_seen
from tests.tiny import Architecture, Case, make_model

CPU = torch.device("cpu")


def numbers_of(lines: list[list[int]], num_rows: int) -> Tensor:
    """Conversation numbers [B, R] of lines of conversations of these lengths."""
    numbers = np.full((len(lines), num_rows), PADDING, np.int64)
    for line, lengths in enumerate(lines):
        stops = np.cumsum(lengths)
        for number, (stop, length) in enumerate(zip(stops, lengths, strict=True)):
            numbers[line, stop - length : stop] = number
    return torch.from_numpy(numbers)


def test_runs() -> None:
    numbers = numbers_of([[2, 3], [4]], 6)
    assert runs_of(numbers.numpy()) == [Run(0, 2), Run(2, 3), Run(6, 4)]
    rows = Conversations(numbers).rows_BR.tolist()
    assert rows == [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 0, 1]]


@pytest.mark.parametrize(
    ("lines", "are_alone"),
    [([[4], [6]], True), ([[6]], True), ([[], [3]], True), ([[2, 2]], False)],
)
def test_one_conversation_a_line_needs_no_layout(lines: list[list[int]], are_alone: bool) -> None:
    assert Conversations(numbers_of(lines, 6)).are_alone is are_alone


def test_the_same_number_in_the_next_line_is_another_conversation() -> None:
    numbers = torch.zeros(2, 3, dtype=torch.long)
    assert runs_of(numbers.numpy()) == [Run(0, 3), Run(3, 3)]


@given(
    st.lists(st.lists(st.integers(1, 70), min_size=1, max_size=6), min_size=1, max_size=4).filter(
        lambda lines: any(len(line) > 1 for line in lines)
    )
)
def test_mix_sees_each_conversation_alone(lines: list[list[int]]) -> None:
    """A running sum over rows, which tells who was before; every row comes back to its place."""
    num_rows = max(map(sum, lines)) + 2
    conversations = Conversations(numbers_of(lines, num_rows))
    x_BR = torch.arange(1.0, len(lines) * num_rows + 1).view(len(lines), num_rows)
    got_BR = conversations.mix(lambda x_NL: x_NL.cumsum(1), x_BR)
    expected_BR = torch.zeros_like(x_BR)
    for line, lengths in enumerate(lines):
        first = 0
        for length in lengths:
            rows = slice(first, first := first + length)
            expected_BR[line, rows] = x_BR[line, rows].cumsum(0)
    assert torch.equal(got_BR, expected_BR)


@pytest.mark.parametrize("block_cells", [1, 8, 12, 20, 1000])
@pytest.mark.parametrize("channels", [2, 4])
def test_blocks_of_rows_are_the_whole(block_cells: int, channels: int) -> None:
    """Any size of block, and a number of rows that it does not divide: values and gradients."""
    case = Case(Architecture.LFM2, channels)
    tokens = torch.randint(0, 64, (2, 11, channels), generator=torch.Generator().manual_seed(0))
    results = []
    for cells in (block_cells, 11 * channels):
        model = make_model(case)
        streams = WholeGrids(2, 11, channels, ConvMode.COLUMN, CPU, block_cells=cells)
        hidden = model.hidden(tokens.flatten(1), streams)
        (hidden * hidden.detach().cos()).sum().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append((hidden.detach(), torch.cat([g.flatten() for g in gradients])))
    (got, got_gradient), (expected, expected_gradient) = results
    assert_same(got, expected, "blocks")
    scale = expected_gradient.abs().max()
    assert_same(got_gradient / scale, expected_gradient / scale, "gradients of blocks")


def test_blocks_of_packed_lines() -> None:
    model = make_model(Case(Architecture.LFM2_MOE, 4))
    tokens = torch.randint(0, 64, (1, 40, 4), generator=torch.Generator().manual_seed(0))
    conversations = Conversations(numbers_of([[17, 23]], 40))
    streams = WholeGrids(
        1, 40, 4, ConvMode.COLUMN, CPU, conversations=conversations, block_cells=16
    )
    with torch.no_grad():
        hidden = model.hidden(tokens.flatten(1), streams).unflatten(1, (40, 4))
        alone = model.hidden_of_grids(tokens[:, 17:])
        together = model.hidden_of_grids(tokens)
    assert_same(hidden[:, 17:], alone, "the second conversation")
    assert_seen(together[:, 17:], alone, "what was before it had mattered")


def test_heads_repeated_for_a_device_are_the_grouped_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU computes, computed here: two KV heads for four, under a mask and without one."""
    for channels in (1, 4):
        model = make_model(Case(Architecture.QWEN3, channels))
        tokens = torch.randint(0, 64, (2, 9, channels))
        with torch.no_grad():
            expected = model(tokens)
            monkeypatch.setattr(whole, "_GROUPS_UNDER_A_MASK", ())
            assert_same(model(tokens), expected, f"{channels} channels")
        monkeypatch.undo()


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


@pytest.mark.parametrize("lines", [[[600]], [[250, 350]]], ids=["whole", "packed"])
def test_no_mask_of_all_cells_by_all_cells(lines: list[list[int]]) -> None:
    model = make_model(Case(Architecture.QWEN3, 4))
    tokens = torch.randint(0, 64, (1, 600, 4))
    with Largest() as largest:
        model.hidden_of_grids(tokens, numbers_of(lines, 600)).sum().backward()
    num_cells = 600 * 4
    assert largest.numel <= 512 * (num_cells + 512)
    assert largest.numel < num_cells**2 / 4
