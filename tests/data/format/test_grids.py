"""Grids on disk: what is written is what is read, in any order, and what is broken is named."""

from __future__ import annotations

import pickle
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.data import grids as grids_module
from motet.data.grid_file import GROUP_CELLS
from motet.data.grids import GridDataset, TokenGrid
from motet.data.tables import TableDataset
from motet.errors import DataError
from motet.streams import SpecialToken
from tests.data.format.conversations import (
    CHANNELS,
    hello,
    write_tables_to,
)
from tests.data.format.drawn import (
    DIGEST,
    LAYOUT,
    VOCABULARY,
    counted,
    damaged,
    grids,
    write_grids_to,
)

SHARD = "grids-00000.parquet"


def same(a: TokenGrid, b: TokenGrid) -> bool:
    pairs = [(a.tokens_RC, b.tokens_RC), (a.learned_RC, b.learned_RC), (a.weights_RC, b.weights_RC)]
    return (a.id, a.meta) == (b.id, b.meta) and all(
        (x is None) == (y is None) and (x is None or np.array_equal(x, y)) for x, y in pairs
    )


@settings(max_examples=10)  # every file is forced to the disk
@given(st.lists(grids(), max_size=6), st.randoms(use_true_random=False))
def test_what_is_written_is_what_is_read_in_any_order(
    written: list[TokenGrid], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_grids_to(Path(folder) / "d", written, shard_rows=8)
        assert all(same(a, b) for a, b in zip(dataset.read(), written, strict=True))
        order = list(range(len(written)))
        rng.shuffle(order)
        assert all(same(dataset[i], written[i]) for i in order)
        assert dataset.num_rows_N.tolist() == [grid.num_rows for grid in written]
        assert len(dataset) == len(written)
        dataset.check_hashes()


def test_many_groups_and_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with room for a single decoded group and a single open file."""
    rows = GROUP_CELLS // len(CHANNELS) // 3
    written = [counted(str(i), rows + i) for i in range(40)]
    dataset = write_grids_to(tmp_path / "d", written, shard_rows=8 * rows)
    assert len(dataset.description.shards) > 3
    assert dataset._file(0).num_groups > 1
    monkeypatch.setattr(grids_module, "_MOST_DECODED_BYTES", 1)
    monkeypatch.setattr(grids_module, "_OPEN_FILES", 1)
    order = list(range(40)) * 2
    random.Random(0).shuffle(order)
    assert all(same(dataset[i], written[i]) for i in order)
    assert len(dataset._groups) == 1
    assert same(dataset[-1], written[39])
    assert [grid.id for grid in dataset[3:6]] == ["3", "4", "5"]
    with pytest.raises(IndexError, match="conversation 40 of 40"):
        dataset[40]


def test_a_dataset_can_be_sent_to_another_process(tmp_path: Path) -> None:
    dataset = write_grids_to(tmp_path / "d", [counted("a"), counted("b")])
    assert dataset[0].id == "a"
    copy = pickle.loads(pickle.dumps(dataset))
    assert same(copy[1], dataset[1])


def _columns(change: Callable[[dict[str, list[Any]]], object]) -> Callable[[pa.Table], pa.Table]:
    def changed(table: pa.Table) -> pa.Table:
        columns = table.to_pydict()
        change(columns)
        return pa.table(columns, schema=table.schema)

    return changed


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_columns(lambda c: c["tokens"][1].pop()), "conversation 1: tokens: expected 12 cells"),
        (_columns(lambda c: c["tokens"].__setitem__(1, None)), "conversation 1: tokens: expected"),
        (_columns(lambda c: c["tokens"][1].__setitem__(3, None)), "conversation 1: tokens"),
        (_columns(lambda c: c["tokens"][1].__setitem__(3, 50)), "1: tokens[3]: expected 0 to 49"),
        (_columns(lambda c: c["tokens"][1].__setitem__(3, -1)), "conversation 1: tokens[3]"),
        (_columns(lambda c: c["num_rows"].__setitem__(1, 3)), "conversation 1: tokens: expected 9"),
        (_columns(lambda c: c["num_rows"].__setitem__(1, -4)), "conversation 1: num_rows"),
        (_columns(lambda c: c["num_rows"].__setitem__(1, None)), "conversation 1: num_rows"),
        (_columns(lambda c: c["id"].__setitem__(1, None)), "conversation 1: id"),
        (_columns(lambda c: c["learned"].__setitem__(1, [True])), "conversation 1: learned"),
        (_columns(lambda c: c["learned"].__setitem__(1, [None] * 12)), "conversation 1: learned"),
        (_columns(lambda c: c["weights"].__setitem__(1, [1.0])), "conversation 1: weights"),
        (_columns(lambda c: c["weights"].__setitem__(1, [-1.0] * 12)), "conversation 1: weights"),
        (
            _columns(lambda c: c["weights"].__setitem__(1, [float("nan")] * 12)),
            "conversation 1: weights",
        ),
        (_columns(lambda c: c["meta"].__setitem__(1, None)), "conversation 1: meta"),
        (_columns(lambda c: c["meta"].__setitem__(1, "[1]")), "conversation 1: meta"),
        (_columns(lambda c: c["meta"].__setitem__(1, "{")), "conversation 1: meta"),
        (lambda table: table.slice(0, 1), "expected 2 conversations, got 1"),
        (lambda table: table.drop_columns(["weights"]), "columns: expected id string"),
        (
            lambda table: table.set_column(1, "num_rows", pa.array([4, 4], pa.int64())),
            "columns: expected id string",
        ),
    ],
)
def test_file_conversation_and_field_of_what_is_wrong_are_named(
    tmp_path: Path, damage: Callable[[pa.Table], pa.Table], named: str
) -> None:
    dataset = write_grids_to(tmp_path / "d", [counted("a"), counted("b")])
    path = tmp_path / "d" / SHARD
    pq.write_table(damage(pq.read_table(path)), path)
    with pytest.raises(DataError) as caught:
        list(dataset.read())
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="SHA-256"):
        dataset.check_hashes()


def test_what_is_whole_in_a_broken_shard_can_be_read(tmp_path: Path) -> None:
    dataset = write_grids_to(tmp_path / "d", [counted("a"), counted("b")])
    path = tmp_path / "d" / SHARD
    pq.write_table(_columns(lambda c: c["id"].__setitem__(1, ""))(pq.read_table(path)), path)
    assert dataset[0].id == "a"
    with pytest.raises(DataError, match="conversation 1: id"):
        dataset[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> GridDataset:
    return write_grids_to(tmp_path_factory.mktemp("whole") / "d", [counted("a"), counted("b")])


@settings(max_examples=150)
@given(st.data())
def test_no_damage_to_a_shard_is_anything_but_a_data_error(
    whole: GridDataset, data: st.DataObject
) -> None:
    """Pages have check sums, so tokens do not change unnoticed."""
    path = whole.path / SHARD
    with damaged(path, data):
        try:
            read = list(GridDataset.open(whole.path).read())
        except DataError:
            pass
        else:
            pairs = zip(read, [counted("a"), counted("b")], strict=True)
            assert all(np.array_equal(a.tokens_RC, b.tokens_RC) for a, b in pairs)
        with pytest.raises(DataError, match="SHA-256"):
            whole.check_hashes()


@pytest.mark.parametrize(
    "grid",
    [
        TokenGrid("x", np.zeros((3, 2), np.int32)),
        TokenGrid("x", np.full((3, 3), VOCABULARY, np.int32)),
        TokenGrid("x", np.full((3, 3), -1, np.int32)),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(tmp_path: Path, grid: TokenGrid) -> None:
    with pytest.raises(DataError, match="grid x"):
        write_grids_to(tmp_path / "d", [grid])


@pytest.mark.parametrize(
    "arrays",
    [
        (np.zeros((3, 3), np.int64), None, None),
        (np.zeros(3, np.int32), None, None),
        (np.zeros((3, 3), np.int32), np.ones((2, 3), np.bool_), None),
        (np.zeros((3, 3), np.int32), np.ones((3, 3), np.int32), None),
        (np.zeros((3, 3), np.int32), None, np.ones((3, 3), np.float64)),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(arrays: tuple[Any, Any, Any]) -> None:
    with pytest.raises(DataError, match="grid x"):
        TokenGrid("x", *arrays)


def test_whether_a_dataset_fits_a_model(tmp_path: Path) -> None:
    dataset = write_grids_to(tmp_path / "d", [counted("a")])
    dataset.check_fit(LAYOUT, DIGEST)
    with pytest.raises(DataError, match="motet data tokenize"):
        dataset.check_fit(LAYOUT, "0" * 64)
    changes: list[tuple[dict[str, Any], str]] = [
        ({"channels": (*CHANNELS[1:], CHANNELS[0])}, "channels"),
        ({"silence": SpecialToken(3, "x")}, "silence_id"),
        ({"end": None}, "end_id"),
    ]
    for change, named in changes:
        with pytest.raises(DataError, match=named):
            dataset.check_fit(replace(LAYOUT, **change), DIGEST)


def test_tables_are_no_grids_and_grids_no_tables(tmp_path: Path) -> None:
    write_tables_to(tmp_path / "t", [hello("a")])
    write_grids_to(tmp_path / "g", [counted("a")])
    with pytest.raises(DataError, match="expected motet-grids, got motet-tables; motet data tok"):
        GridDataset.open(tmp_path / "t")
    with pytest.raises(DataError, match="expected motet-tables, got motet-grids"):
        TableDataset.open(tmp_path / "g")


def test_datasets_loads_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    written = [counted(str(i)) for i in range(5)]
    write_grids_to(tmp_path / "d", written, shard_rows=8)
    files = sorted(str(file) for file in (tmp_path / "d").glob("*.parquet"))
    assert len(files) > 1
    loaded = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [row["id"] for row in loaded] == list("01234")
    assert loaded[3]["tokens"] == written[3].tokens_RC.reshape(-1).tolist()
