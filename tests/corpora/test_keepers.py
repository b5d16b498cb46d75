"""Rollouts as grids and as tables: the tokens and texts that were said, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.corpora.attempts import KEPT, Attempt, Attempts
from motet.corpora.distill import chosen
from motet.corpora.grid_keeper import GridKeeper
from motet.corpora.table_keeper import TableKeeper
from motet.data.table import Table
from motet.engine import Settings
from motet.engine.marks import Marks
from motet.engine.transcript import Transcript, rows_of
from motet.errors import DataError
from motet.formats.directory import EMBEDDED
from motet.protocol.row import Row
from motet.runtime.directory import read_source
from motet.streams.grid import TOKEN_DTYPE, Grid

SOURCE = read_source(EMBEDDED)
KEEPER = GridKeeper.of(SOURCE)
CODEC = KEEPER.codec
LAYOUT = CODEC.layout
END, SILENCE = CODEC.end_id, CODEC.silence_id
assert END is not None
assert SILENCE is not None
META = {"source": "distill"}


def rows(tokens: list[list[int]], given: list[list[bool]] | None = None) -> list[Row]:
    """Rows as an engine or a server tells them."""
    tokens_RC = np.array(tokens, TOKEN_DTYPE)
    given_RC = np.zeros(tokens_RC.shape, np.bool_)
    given_RC[:, 0] = True
    given_RC[0] = True
    if given is not None:
        given_RC = np.array(given)
    told = rows_of(Grid(tokens_RC, given_RC))
    return Transcript(CODEC, Settings(), Marks(), told).rows


def conversation(user: str, output: str) -> list[Row]:
    asked, said = [*CODEC.encode(user), END], [*CODEC.encode(output), END]
    num_rows = 1 + len(asked) + len(said)
    tokens = [[SILENCE] * 4 for _ in range(num_rows)]
    for row, token in enumerate(asked, start=1):
        tokens[row][0] = token
    for row, token in enumerate(said, start=1 + len(asked)):
        tokens[row][1] = token
    return rows(tokens)


def test_a_grid_is_what_was_said() -> None:
    said = conversation("What is 6 times 7?", "It is 42.")
    grid = KEEPER.grid(KEEPER.keep("a", said, META), "here")
    assert grid.tokens_RC.tolist() == [list(row.token_ids) for row in said]
    assert (grid.id, grid.meta) == ("a", META)
    assert grid.learned_RC is not None
    assert not grid.learned_RC[0].any()  # the opening
    assert not grid.learned_RC[:, 0].any()  # the User
    assert grid.learned_RC[1:, 1:].all()


def test_a_channel_that_was_held_is_not_learned() -> None:
    keeper = GridKeeper.of(SOURCE, ["Skeptical"])
    grid = keeper.grid(keeper.keep("a", conversation("Hello?", "Hello."), META), "here")
    assert grid.learned_RC is not None
    assert grid.learned_RC[1:, 1:3].all()
    assert not grid.learned_RC[:, 3].any()


def test_words_that_were_put_in_are_not_learned() -> None:
    said = conversation("Hello?", "Hello.")
    given = [list(row.given) for row in said]
    given[3][2] = True
    grid = KEEPER.grid(KEEPER.keep("a", rows([list(r.token_ids) for r in said], given), META), "")
    assert grid.learned_RC is not None
    assert not grid.learned_RC[3, 2]
    assert grid.learned_RC[4, 2]


@pytest.mark.parametrize(
    "spoilt",
    [
        {}, {"tokens": [1, 2]}, {"num_rows": 99}, {"learned": "1"}, {"tokens": None},
        {"tokens": [2**40]},
    ],
)  # fmt: skip
def test_a_spoilt_grid_is_named(spoilt: dict[str, Any]) -> None:
    kept = KEEPER.keep("a", conversation("Hello?", "Hello."), META)
    with pytest.raises(DataError, match="there"):
        KEEPER.grid(spoilt and {**kept, **spoilt}, "there")


def test_rows_of_another_tokenizer_are_refused() -> None:
    keeper = GridKeeper.of(SOURCE, is_checked=True)
    said = conversation("Hello?", "Hello.")
    keeper.keep("a", said, META)
    first = said[1]
    other = Row(first.index, (first.token_ids[0] + 1, *first.token_ids[1:]), *_rest(first))
    with pytest.raises(DataError, match="--tokenizer"):
        keeper.keep("a", [said[0], other, *said[2:]], META)


def _rest(row: Row) -> tuple[Any, ...]:
    return row.deltas, row.silent, row.given


def is_end(token: int) -> bool:
    return "\ufffd" not in CODEC.decode([token])


TABLES = TableKeeper(LAYOUT.channels, is_end)


def test_a_table_says_what_was_said() -> None:
    kept = TABLES.keep("a", conversation("What is 6\ntimes 7?", "\nIt is 42."), META)
    table = Table.from_json(kept, LAYOUT.channels, "here")
    assert table.messages("User") == ["What is 6\ntimes 7?"]
    assert table.messages("Output") == ["\nIt is 42."]
    first, last = table.column("User")[0], [c for c in table.column("Output") if c][-1]
    assert first is not None  # the opening is left out
    assert last.end


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4))
def test_messages_come_back(texts: list[str]) -> None:
    """Any Unicode; the newline that parts messages in the rows' texts is no part of them."""
    said = [[*CODEC.encode(text), END] for text in texts]
    tokens = [token for message in said for token in message]
    rows_RC = [[SILENCE] * 4, *([token, SILENCE, SILENCE, SILENCE] for token in tokens)]
    kept = TABLES.keep("a", rows(rows_RC), META)
    table = Table.from_json(kept, LAYOUT.channels, "here")
    cells = [cell for cell in table.column("User") if cell is not None]
    joined = "".join(cell.text + ("\0" if cell.end else "") for cell in cells)
    assert joined.count("\0") - "".join(texts).count("\0") == len(texts)
    assert joined == "".join(text + "\0" for text in texts)


def test_what_is_chosen(tmp_path: Path) -> None:
    """One of equal rollouts, and so many of a question."""
    with Attempts(tmp_path / "a", {}) as attempts:
        for number, (question, cells) in enumerate(
            [("p", "x"), ("q", "x"), ("p", "y"), ("p", "x"), ("p", "z")]
        ):
            facts = {"question_id": question, "cells_sha256": cells}
            attempts.add(Attempt(number, KEPT, "", facts, {}))
        assert chosen(attempts) == ([0, 1, 2, 4], {"duplicate": 1})
        assert chosen(attempts, 2) == ([0, 1, 2], {"duplicate": 1, "enough": 1})
        assert chosen(attempts, 1) == ([0, 1], {"duplicate": 1, "enough": 2})
