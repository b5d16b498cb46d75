"""Grids are values of one width; a file that is not a grid is a GridError."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motet.errors import GridError
from motet.streams import Grid
from motet.streams.grid import Tokens

SHAPES = st.tuples(st.integers(0, 6), st.integers(1, 5))
reuses_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    shape = draw(SHAPES)
    return Grid(draw(hnp.arrays(np.int32, shape)), draw(hnp.arrays(np.bool_, shape)))


def numbered(num_rows: int, num_channels: int) -> Grid:
    cells = np.arange(num_rows * num_channels, dtype=np.int32)
    return Grid.from_flat(cells, num_channels, given=False)


def assert_equal(got: Grid, expected: Grid) -> None:
    assert got.tokens_RC.dtype == np.int32
    assert got.given_RC.dtype == np.bool_
    np.testing.assert_array_equal(got.tokens_RC, expected.tokens_RC)
    np.testing.assert_array_equal(got.given_RC, expected.given_RC)


@reuses_directory
@given(grids())
def test_save_and_load(tmp_path: Path, grid: Grid) -> None:
    grid.save(tmp_path / "grid.npz")
    assert_equal(Grid.load(tmp_path / "grid.npz"), grid)
    assert [p.name for p in tmp_path.iterdir()] == ["grid.npz"]


@given(grids())
def test_flatten_is_row_major(grid: Grid) -> None:
    cells = grid.flatten()
    for r in range(grid.num_rows):
        for c in range(grid.num_channels):
            assert cells[r * grid.num_channels + c] == grid.tokens_RC[r, c] == grid.column(c)[r]
    again = Grid.from_flat(cells, grid.num_channels, given=True)
    np.testing.assert_array_equal(again.tokens_RC, grid.tokens_RC)
    assert again.given_RC.all()


@given(grids(), st.data())
def test_truncate_and_append(grid: Grid, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, grid.num_rows))
    rest = Grid(grid.tokens_RC[n:], grid.given_RC[n:])
    head = grid.truncate(n)
    assert head.num_rows == n
    assert_equal(head.append(rest), grid)
    assert_equal(Grid.empty(grid.num_channels).append(grid), grid)


def test_a_truncated_grid_is_its_own() -> None:
    grid = numbered(3, 2)
    grid.truncate(2).tokens_RC[0, 0] = 99
    assert grid.tokens_RC[0, 0] == 0


@pytest.mark.parametrize("num_rows", [-1, 4])
def test_truncate_out_of_range(num_rows: int) -> None:
    with pytest.raises(GridError, match="0 to 3 rows"):
        numbered(3, 2).truncate(num_rows)


def test_wrong_width() -> None:
    with pytest.raises(GridError, match="2 channels, got 3"):
        numbered(3, 2).append(numbered(1, 3))
    with pytest.raises(GridError, match="multiple of 3"):
        Grid.from_flat(np.zeros(4, np.int32), 3, given=True)


@pytest.mark.parametrize(
    ("tokens", "given_RC"),
    [
        (np.zeros(3, np.int32), np.zeros(3, np.bool_)),
        (np.zeros((3, 0), np.int32), np.zeros((3, 0), np.bool_)),
        (np.zeros((3, 2), np.int64), np.zeros((3, 2), np.bool_)),
        (np.zeros((3, 2), np.float32), np.zeros((3, 2), np.bool_)),
        (np.zeros((3, 2), np.int32), np.zeros((3, 2), np.int32)),
        (np.zeros((3, 2), np.int32), np.zeros((3, 1), np.bool_)),
    ],
    ids=["1-D", "no channels", "int64", "float", "mask of numbers", "narrow mask"],
)
def test_not_a_grid(tokens: Tokens, given_RC: np.ndarray) -> None:
    with pytest.raises(GridError):
        Grid(tokens, given_RC)


def load_bytes(path: Path, content: bytes) -> Grid | None:
    """The grid, or None for a GridError; anything else escapes."""
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy remarks on some broken headers
        try:
            return Grid.load(path)
        except GridError:
            return None


@reuses_directory
@given(st.binary(max_size=300))
def test_random_bytes(tmp_path: Path, content: bytes) -> None:
    for magic in (b"", b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY\x01\x00", b"\x80\x04"):
        assert load_bytes(tmp_path / "grid.npz", magic + content) is None


def saved_bytes(tmp_path: Path) -> bytes:
    numbered(50, 3).save(tmp_path / "whole.npz")
    return (tmp_path / "whole.npz").read_bytes()


def test_truncated_file(tmp_path: Path) -> None:
    content = saved_bytes(tmp_path)
    for size in range(len(content)):
        assert load_bytes(tmp_path / "cut.npz", content[:size]) is None, size


def test_changed_bytes(tmp_path: Path) -> None:
    """A flipped byte is a GridError or does no harm (it may lie in a time stamp)."""
    content = saved_bytes(tmp_path)
    num_noticed = 0
    for place in range(len(content)):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(content)
            broken[place] ^= flip
            grid = load_bytes(tmp_path / "flipped.npz", bytes(broken))
            num_noticed += grid is None
            if grid is not None:
                assert_equal(grid, numbered(50, 3))
    assert num_noticed > len(content)


def npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


TOKENS, GIVEN = np.zeros((2, 2), np.int32), np.ones((2, 2), np.bool_)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        npy(TOKENS),
        npz(tokens=TOKENS),
        npz(tokens=TOKENS, given=GIVEN, more=GIVEN),
        npz(tokens=GIVEN, given=TOKENS),
        npz(tokens=TOKENS, given=GIVEN[:1]),
        npz(tokens=np.array([{}], object), given=GIVEN),
        npz(tokens=TOKENS.astype(np.int64), given=GIVEN),
    ],
    ids=["empty", "one array", "no mask", "more", "swapped", "narrow", "pickle", "int64"],
)
def test_alien_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "alien.npz").write_bytes(content)
    with pytest.raises(GridError, match="alien"):
        Grid.load(tmp_path / "alien.npz")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="no such file"):
        Grid.load(tmp_path / "none.npz")
    with pytest.raises(GridError):
        Grid.load(tmp_path)


def test_interrupted_save_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grid.npz"
    numbered(2, 2).save(path)

    def interrupted(file: io.BufferedWriter, **_: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        numbered(3, 2).save(path)
    assert_equal(Grid.load(path), numbered(2, 2))
