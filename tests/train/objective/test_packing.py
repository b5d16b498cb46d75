"""Packing: nothing lost, nothing twice, no line too long, few lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import DataError
from motet.train.packing import cut, pack
from tests.train.objective.grids import partly_learned, random_grid


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(50, 120))
def test_each_conversation_once_and_no_line_too_long(lengths: list[int], room: int) -> None:
    lines = pack(lengths, room)
    assert sorted(index for line in lines for index in line) == list(range(len(lengths)))
    assert all(line == sorted(line) and line for line in lines)
    used = [sum(lengths[index] for index in line) for line in lines]
    assert all(rows <= room for rows in used)
    fewest = -(-sum(lengths) // room)
    assert len(lines) <= 1.5 * fewest + 1
    assert sum(rows <= room / 2 for rows in used) <= 1, "two lines would have fitted in one"
    assert pack(lengths, room) == lines


def test_where_it_leaves_the_least_room() -> None:
    assert pack([6, 3, 4, 7], 10) == [[1, 3], [0, 2]]
    assert pack([], 10) == []
    assert pack([10, 10], 10) == [[0], [1]]


@pytest.mark.parametrize("rows", [11, 0])
def test_what_fits_on_no_line_is_refused(rows: int) -> None:
    with pytest.raises(DataError, match=rf"conversation 1: expected 1 to 10 rows, got {rows}"):
        pack([3, rows], 10)


def test_cut() -> None:
    grid = partly_learned(9, 4)
    assert cut(grid, 9) is grid
    short = cut(grid, 5)
    assert short.id == grid.id
    for name in ("tokens_RC", "learned_RC", "weights_RC"):
        assert np.array_equal(getattr(short, name), getattr(grid, name)[:5])
    assert cut(random_grid(9, 4), 2).learned_RC is None
