"""Tables on disk: what is written is what is read, and what is broken is named."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.data.dataset import DATASET_FILE
from motet.data.tables import Cell, Row, Table, TableDataset, write_tables
from motet.errors import DataError
from tests.data.format.conversations import (
    CHANNELS,
    hello,
    write_tables_to,
)
from tests.data.format.drawn import (
    damaged,
    tables,
)

SHARD = "tables-00000.jsonl.gz"


@settings(max_examples=10)  # every file is forced to the disk
@given(st.lists(tables, max_size=5))
def test_what_is_written_is_what_is_read(conversations: list[Table]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_tables_to(Path(folder) / "d", conversations, shard_rows=6)
        assert list(dataset.read()) == conversations
        assert len(dataset) == len(conversations)
        assert dataset.description.num_rows == sum(t.num_rows for t in conversations)
        dataset.check_hashes()


@given(st.lists(tables, max_size=3))
def test_the_same_tables_are_the_same_bytes(conversations: list[Table]) -> None:
    first, second = BytesIO(), BytesIO()
    write_tables(first, conversations)
    write_tables(second, conversations)
    assert first.getvalue() == second.getvalue()


def test_a_message_is_a_run_of_cells_that_an_end_cuts() -> None:
    column = [Cell("a"), Cell("b", end=True), Cell("c"), None, Cell("", end=True), Cell("d")]
    rows: list[Row] = [(cell, None, None) for cell in column]
    table = Table("x", CHANNELS, tuple(rows))
    messages = table.said(0)
    assert [(m.text, m.rows, m.starts, m.is_ended) for m in messages] == [
        ("ab", (0, 1), (0, 1), True),
        ("c", (2,), (0,), False),
        ("", (4,), (0,), True),
        ("d", (5,), (0,), False),
    ]
    assert table.messages("User") == ["ab", "c", "", "d"]
    assert [messages[0].row_of(i) for i in range(2)] == [0, 1]


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[list[str]], list[str]]:
    def edited(lines: list[str]) -> list[str]:
        data = json.loads(lines[1])
        change(data)
        return [lines[0], json.dumps(data)]

    return edited


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_edit(lambda d: d.pop("rows")), "line 2: expected an object with id, rows, meta"),
        (_edit(lambda d: d.update(extra=1)), "line 2: expected an object with id, rows, meta"),
        (_edit(lambda d: d.update(id=7)), "line 2: id: expected a text, got 7"),
        (_edit(lambda d: d.update(id="")), "line 2: id: expected a text"),
        (_edit(lambda d: d.update(meta=[])), "line 2: meta: expected an object"),
        (_edit(lambda d: d.update(rows={})), "line 2: rows: expected a list"),
        (_edit(lambda d: d["rows"][1].append(None)), "rows[1]: expected 3 cells, got 4 cells"),
        (_edit(lambda d: d["rows"].insert(0, "abc")), "line 2: rows[0]: expected 3 cells"),
        (_edit(lambda d: d["rows"][2].__setitem__(1, 5)), "line 2: rows[2][1]: expected null"),
        (_edit(lambda d: d["rows"][2].__setitem__(1, "")), "line 2: rows[2][1]: expected null"),
        (_edit(lambda d: d["rows"][2].__setitem__(1, {"text": "a"})), "line 2: rows[2][1]"),
        (
            _edit(lambda d: d["rows"][0].__setitem__(0, {"text": "", "end": False})),
            "line 2: rows[0][0]",
        ),
        (
            _edit(lambda d: d["rows"][0].__setitem__(0, {"text": "a", "end": 1})),
            "line 2: rows[0][0]",
        ),
        (lambda lines: [lines[0], lines[1][:-9]], "line 2: expected JSON"),
        (lambda lines: [lines[0], '{"id": NaN}'], "line 2: expected JSON, got NaN is not JSON"),
        (lambda lines: [lines[0], lines[1].replace("Hi", "\\ud800")], "line 2: expected JSON"),
        (lambda lines: [lines[0], "[" * 100_000], "line 2: expected JSON"),
        (lambda lines: lines[:1], "expected 2 lines, got 1"),
        (lambda lines: [*lines, lines[0]], "expected 2 lines, got 3"),
    ],
)
def test_file_line_and_field_of_what_is_wrong_are_named(
    tmp_path: Path, damage: Callable[[list[str]], list[str]], named: str
) -> None:
    dataset = write_tables_to(tmp_path / "d", [hello("a"), hello("b")])
    path = tmp_path / "d" / SHARD
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n".join(damage(lines)).encode()))
    with pytest.raises(DataError) as caught:
        list(dataset.read())
    assert named in str(caught.value)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match="SHA-256"):
        dataset.check_hashes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TableDataset:
    return write_tables_to(tmp_path_factory.mktemp("whole") / "d", [hello("a"), hello("b")])


@settings(max_examples=150)
@given(st.data())
def test_no_damage_to_a_shard_is_anything_but_a_data_error(
    whole: TableDataset, data: st.DataObject
) -> None:
    """Nor does it go unnoticed: gzip has a check sum, except of its header and of filling bits."""
    path = whole.path / SHARD
    last_of_content = path.stat().st_size - 9  # before the check sum and the length
    with damaged(path, data) as at:
        try:
            read = list(whole.read())
        except DataError:
            pass
        else:
            assert read == [hello("a"), hello("b")]
            assert at < 10 or at == last_of_content
        with pytest.raises(DataError, match="SHA-256"):
            whole.check_hashes()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(format="grids"), "format: expected motet-tables or motet-grids"),
        (lambda d: d.update(version=2), "version"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.pop("made_by"), "made_by"),
        (lambda d: d.update(num_conversations=5), "num_conversations: expected 2"),
        (lambda d: d["channels"][0].update(role="speaker"), "channels.0.role"),
        (lambda d: d["channels"].append(d["channels"][0]), "channels: expected distinct names"),
        (lambda d: d["shards"].append(d["shards"][0]), "shards: expected distinct files"),
        (lambda d: d["shards"][0].update(file="../x"), "shards.0.file"),
        (lambda d: d["shards"][0].update(file="gone"), "gone"),
        (lambda d: d["shards"][0].update(num_conversations=True), "shards.0.num_conversations"),
        (lambda d: d["shards"][0].update(sha256="1"), "shards.0.sha256"),
    ],
)
def test_what_is_wrong_in_the_description_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], named: str
) -> None:
    write_tables_to(tmp_path, [hello("a"), hello("b")])
    path = tmp_path / DATASET_FILE
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(DataError) as caught:
        TableDataset.open(tmp_path)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=50)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_other_file_as_description_is_a_data_error(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / DATASET_FILE).write_bytes(content)
        with pytest.raises(DataError):
            TableDataset.open(Path(folder))


def test_no_dataset_no_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        TableDataset.open(tmp_path)
    with pytest.raises(DataError, match="no such directory"):
        TableDataset.open(tmp_path / "x")


def test_a_table_of_other_channels_is_refused(tmp_path: Path) -> None:
    other = Table("x", CHANNELS[:2], ())
    with pytest.raises(DataError, match="table x: channels"):
        write_tables_to(tmp_path / "d", [other])


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    broken = Table("x", CHANNELS, ((Cell("\ud800"), None, None),))
    with pytest.raises(DataError, match="table x"):
        write_tables_to(tmp_path / "d", [broken])


def test_datasets_loads_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    write_tables_to(tmp_path / "d", [hello(str(i)) for i in range(5)], shard_rows=4)
    files = sorted(str(file) for file in (tmp_path / "d").glob("*.gz"))
    assert len(files) > 1
    loaded = datasets.load_dataset(
        "json", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [row["id"] for row in loaded] == list("01234")
    assert loaded[0]["rows"][0] == [{"text": "Hi", "end": True}, None, None]
