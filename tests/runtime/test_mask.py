"""The mask of the design page, and short convolutions small enough to do by hand."""

from __future__ import annotations

import pytest
import torch

from motet.runtime.torch.shortconv import short_conv
from motet.runtime.torch.streams import block_causal_mask
from motet.streams import ConvMode

CPU = torch.device("cpu")

# C = 2, rows r0 r1 r2: query down, key across, x = may attend
GOLDEN = """
x . . . . .
. x . . . .
x x x . . .
x x . x . .
x x x x x .
x x x x . x
"""
ROWS = [[mark == "x" for mark in line.split()] for line in GOLDEN.strip().splitlines()]


def test_golden_mask() -> None:
    assert block_causal_mask(0, 3, 2, CPU).tolist() == ROWS


def test_design_page_mask() -> None:
    assert block_causal_mask(0, 2, 2, CPU).tolist() == [row[:4] for row in ROWS[:4]]


@pytest.mark.parametrize("past", [0, 1, 2])
def test_mask_of_a_continuation_is_the_lower_part(past: int) -> None:
    assert block_causal_mask(past, 3 - past, 2, CPU).tolist() == ROWS[past * 2 :]


def test_one_channel_is_causal() -> None:
    expected = torch.ones(5, 5, dtype=torch.bool).tril()
    assert torch.equal(block_causal_mask(0, 5, 1, CPU), expected)


def conv(cells: list[list[float]], past: list[list[float]] | None, mode: ConvMode) -> list[object]:
    """Width 3 with taps 100, 10, 1, on grids of one feature: digits show who was read."""
    taps = torch.tensor([[100.0, 10.0, 1.0]])
    u = torch.tensor(cells)[None, :, :, None]
    before = None if past is None else torch.tensor(past)[None, :, :, None]
    v, padded = short_conv(u, before, taps, None, mode)
    assert padded.shape[1] == len(cells) + 2
    return list(v[0, :, :, 0].tolist())


GRID = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def test_column() -> None:
    assert conv(GRID, None, ConvMode.COLUMN) == [[1, 2], [13, 24], [135, 246]]


def test_row_boundary() -> None:
    assert conv(GRID, None, ConvMode.ROW_BOUNDARY) == [[1, 2], [123, 124], [345, 346]]


def test_row_boundary_of_three_channels() -> None:
    grid = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert conv(grid, None, ConvMode.ROW_BOUNDARY) == [[1, 2, 3], [234, 235, 236]]


@pytest.mark.parametrize("mode", list(ConvMode))
def test_one_channel_conv_is_causal(mode: ConvMode) -> None:
    assert conv([[1.0], [2.0], [3.0], [4.0]], None, mode) == [[1], [12], [123], [234]]


@pytest.mark.parametrize("mode", list(ConvMode))
def test_conv_continues_its_past(mode: ConvMode) -> None:
    whole = conv([*GRID, [7.0, 8.0]], None, mode)
    assert conv([[7.0, 8.0]], GRID[1:], mode) == whole[3:]


def test_bias_is_added_once() -> None:
    u = torch.ones(1, 2, 1, 1)
    v, _ = short_conv(u, None, torch.ones(1, 3), torch.tensor([10.0]), ConvMode.COLUMN)
    assert v.flatten().tolist() == [11, 12]
