"""Tables to grids: a picture, a slow reference, and what must hold of any table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from motet.data.dataset import Description
from motet.data.grids import GridDataset
from motet.data.spread import spread
from motet.data.table import Cell, Row, Table
from motet.data.token_grid import TokenGrid
from motet.data.tokenize import tokenize
from motet.data.tokenized import begin_tokenizing
from motet.errors import DataError
from motet.formats.directory import EMBEDDED, read_directory
from motet.streams import Channel, Layout, Role, StreamCodec
from motet.streams.layout import single_channel
from tests.data.format.conversations import contents, write_tables_to
from tests.streams.bpe import byte_level_bpe, two_channels

CHANNELS = (Channel("User", Role.INPUT), Channel("Output", Role.OUTPUT))


@pytest.fixture(scope="module")
def bpe() -> Tokenizer:
    return byte_level_bpe()


@pytest.fixture(scope="module")
def codec(bpe: Tokenizer) -> StreamCodec:
    return StreamCodec(bpe, two_channels(bpe))


def table(*rows: tuple[str | None, str | None], meta: dict[str, Any] | None = None) -> Table:
    """Cells as texts; a text that ends with $ ends its message."""

    def cell(text: str | None) -> Cell | None:
        return None if text is None else Cell(text.removesuffix("$"), text.endswith("$"))

    return Table("a", CHANNELS, tuple((cell(a), cell(b)) for a, b in rows), meta or {})


def picture(grid: TokenGrid, codec: StreamCodec) -> list[str]:
    """A row a line: the texts of its tokens, `.` for silence and `$` for the end."""
    words = {codec.silence_id: ".", codec.end_id: "$"}
    return [
        " ".join(words.get(token) or codec.decode([token]) for token in row)
        for row in grid.tokens_RC.tolist()
    ]


def test_a_row_becomes_as_many_as_its_fullest_cell_needs(codec: StreamCodec) -> None:
    grid = tokenize(table(("1", None), ("23", "4$"), (None, None), (None, "567$")), codec)
    assert picture(grid, codec) == [
        ". .",
        "1 .",
        "2 4",
        "3 $",
        ". .",
        ". 5",
        ". 6",
        ". 7",
        ". $",
    ]
    assert grid.learned_RC is None


def test_a_message_is_tokenised_whole(bpe: Tokenizer, codec: StreamCodec) -> None:
    """A word that is cut between cells is the token that it is, in the cell where it begins."""
    assert [codec.decode([i]) for i in bpe.encode("The ans").ids] == ["The", " ans"]
    assert len([i for part in ("Th", "e a", "ns") for i in bpe.encode(part).ids]) > 3
    grid = tokenize(table(("Th", None), ("e a", None), ("ns", None)), codec)
    assert picture(grid, codec) == [". .", "The .", " ans .", ". ."]


def test_cells_of_a_message_that_pauses_are_tokenised_apart(codec: StreamCodec) -> None:
    grid = tokenize(table(("Th", None), (None, None), ("e$", None)), codec)
    assert codec.text(grid.tokens_RC[:, 0]) == "The"
    assert len(grid.tokens_RC) >= 5


def test_without_an_end_token_a_message_ends_in_silence(bpe: Tokenizer) -> None:
    codec = StreamCodec(bpe, two_channels(bpe, silence=" -", end=None))
    grid = tokenize(table(("1$", None), ("2", "3")), codec)
    assert picture(grid, codec) == [". .", "1 .", ". .", "2 3"]


texts = st.text(st.sampled_from("The answer is 42.é漢🙂\n -"), min_size=1, max_size=6)
cells = st.none() | st.builds(Cell, texts, st.booleans()) | st.just(Cell("", end=True))
tables = st.builds(
    lambda rows: Table("a", CHANNELS, rows, {}),
    st.lists(st.tuples(cells, cells), max_size=6).map(tuple),
)


@given(tables)
def test_the_grid_is_what_a_slow_reference_says(codec: StreamCodec, drawn: Table) -> None:
    assert tokenize(drawn, codec).tokens_RC.tolist() == slowly(drawn, codec)


def slowly(drawn: Table, codec: StreamCodec) -> list[list[int]]:
    """Byte for byte: who a byte belongs to, and which token it begins."""
    lists: dict[tuple[int, int], list[int]] = {}
    for c in range(2):
        run: list[int] = []
        for r in range(len(drawn.rows) + 1):
            cell = drawn.rows[r][c] if r < len(drawn.rows) else None
            if cell is not None:
                run.append(r)
            if run and (cell is None or cell.end):
                said = [drawn.rows[i][c] for i in run]
                owners = [i for i, x in zip(run, said, strict=True) if x for _ in x.text.encode()]
                at = 0
                for token in codec.encode("".join(x.text for x in said if x)):
                    lists.setdefault((owners[at], c), []).append(token)
                    at += len(codec.token_bytes(token))
                if said[-1] is not None and said[-1].end:
                    assert codec.end_id is not None
                    lists.setdefault((run[-1], c), []).append(codec.end_id)
                run = []
    assert codec.silence_id is not None
    silence = codec.silence_id
    grid = [[silence, silence]]
    for r in range(len(drawn.rows)):
        both = [lists.get((r, c), []) for c in range(2)]
        for k in range(max(1, *map(len, both))):
            grid.append([ids[k] if k < len(ids) else silence for ids in both])
    return grid


@given(tables)
def test_what_is_said_is_what_is_read(codec: StreamCodec, drawn: Table) -> None:
    grid = tokenize(drawn, codec)
    for c, channel in enumerate(CHANNELS):
        said = [cell for cell in drawn.column(channel.name) if cell is not None]
        joined = "".join(cell.text for cell in said)
        column = [
            t for t in grid.tokens_RC[:, c].tolist() if t not in (codec.silence_id, codec.end_id)
        ]
        assert codec.decode(column) == joined
        assert grid.tokens_RC[:, c].tolist().count(codec.end_id) == sum(x.end for x in said)


@given(tables, st.data())
def test_what_comes_later_changes_nothing_before(
    codec: StreamCodec, drawn: Table, data: st.DataObject
) -> None:
    """Rows after a row in which every message has ended or paused can be exchanged."""
    cut = data.draw(st.integers(0, len(drawn.rows)))
    rows: list[Row] = list(drawn.rows[:cut])
    ended: Row = (Cell("", end=True), Cell("", end=True))
    first = tokenize(Table("a", CHANNELS, (*rows, ended, *drawn.rows[cut:]), {}), codec)
    second = tokenize(Table("a", CHANNELS, (*rows, ended), {}), codec)
    assert np.array_equal(first.tokens_RC[: second.num_rows], second.tokens_RC)


def test_what_is_unlearned_and_what_is_planted(codec: StreamCodec) -> None:
    meta = {"planted": [1, 2], "unlearned": [["Output", 1, 1]], "answer": "7"}
    grid = tokenize(table(("12", "3"), (None, "45"), (None, "6"), meta=meta), codec)
    assert picture(grid, codec) == [". .", "1 3", "2 .", ". 4", ". 5", ". 6"]
    assert grid.learned_RC is not None
    assert grid.learned_RC.tolist() == [[False, i in (1, 2, 5)] for i in range(6)]
    assert grid.meta == {"planted": [4, 5], "answer": "7"}


@pytest.mark.parametrize(
    "meta",
    [
        {"planted": [1]}, {"planted": [-1]}, {"planted": 0}, {"planted": ["0"]},
        {"unlearned": [["Output", 0, 1]]}, {"unlearned": [["Output", 1, 0]]},
        {"unlearned": [["Think", 0, 0]]}, {"unlearned": [0]}, {"unlearned": "Output"},
        {"unlearned": {"Output": 0}},
    ],
)  # fmt: skip
def test_rows_that_are_none_are_named(codec: StreamCodec, meta: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=f"table a: meta.{next(iter(meta))}"):
        tokenize(table(("1", "2"), meta=meta), codec)


def test_a_warm_start_stands_in_front_and_is_not_learned(bpe: Tokenizer) -> None:
    layout = replace(two_channels(bpe), warm_start=((5, 6), (7, 8), (9, 9)))
    codec = StreamCodec(bpe, layout)
    grid = tokenize(table(("1", "2")), codec)
    assert grid.tokens_RC[:3].tolist() == [[5, 6], [7, 8], [9, 9]]
    assert grid.learned_RC is not None
    assert grid.learned_RC.tolist() == [[False, False]] * 3 + [[False, True]]


def test_one_channel_without_silence_is_plain_text(bpe: Tokenizer) -> None:
    layout: Layout = single_channel(two_channels(bpe).end)
    rows = ((Cell("12"),), (None,), (Cell("3", end=True),))
    codec = StreamCodec(bpe, layout)
    grid = tokenize(Table("a", layout.channels, rows, {}), codec)
    assert codec.decode(grid.tokens_RC[:, 0]) == "123<end>"


EMBEDDED_LAYOUT = read_directory(EMBEDDED).layout


def four(name: str, text: str) -> Table:
    said: Row = (Cell(text, end=True), None, None, None)
    return Table(name, EMBEDDED_LAYOUT.channels, (said, (None, Cell("ok"), None, None)), {"n": 1})


def tokenized(source: Path, target: Path, max_rows: int | None, processes: int) -> Description:
    return spread(*begin_tokenizing(source, EMBEDDED, target, max_rows), num_processes=processes)


def test_a_dataset_of_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.data.format import conversations

    monkeypatch.setattr(conversations, "CHANNELS", EMBEDDED_LAYOUT.channels)
    texts = ["12", "123456789", "a b", "漢字"]
    write_tables_to(tmp_path / "t", [four(text, text) for text in texts], shard_rows=4)
    done = tokenized(tmp_path / "t", tmp_path / "g", 9, 1)
    assert done.left_out == {"too long": 1}
    dataset = GridDataset.open(tmp_path / "g")
    assert [grid.id for grid in dataset.read()] == ["12", "a b", "漢字"]
    codec = StreamCodec.load(read_directory(EMBEDDED).path, EMBEDDED_LAYOUT)
    assert [codec.text(grid.tokens_RC[:, 0]) for grid in dataset.read()] == ["12", "a b", "漢字"]
    assert dataset.num_opening_rows == 1
    tokenized(tmp_path / "t", tmp_path / "two", 9, 2)
    assert contents(tmp_path / "two") == contents(tmp_path / "g")


def test_tables_of_other_channels_are_refused(tmp_path: Path) -> None:
    write_tables_to(tmp_path / "t", [])
    with pytest.raises(DataError, match=r"expected User \(input\), .* as the model has"):
        begin_tokenizing(tmp_path / "t", EMBEDDED, tmp_path / "g", None)
    assert not (tmp_path / "g").exists()
