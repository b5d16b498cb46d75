"""What a model wrote, read as rows: the same again, mended by name, or dropped by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.corpora.dropping import MEANINGS, Dropped, DroppedError
from motet.corpora.written import END_MARK, read_written
from motet.data.table import Cell
from tests.corpora.conversations import CHANNELS, GOOD, as_written

GOOD_ROWS = read_written(GOOD, CHANNELS).rows


def test_good_rows() -> None:
    written = read_written(GOOD, CHANNELS)
    assert written.repairs == ()
    assert written.rows[0] == (Cell("Tom has 3"), None, None, None)
    assert written.rows[2] == (Cell(" 4. How many?", True), None, Cell("3"), None)
    assert written.rows[3] == (None, None, None, None)
    assert len(written.rows) == 9


ROWS = [json.loads(line) for line in GOOD.splitlines()]
AS_LISTS = [[row.get(name) for name in CHANNELS] for row in ROWS]


@pytest.mark.parametrize(
    ("repair", "text"),
    [
        ("thinking", f"<think>They want {{rows}}.\n</think>\n{GOOD}"),
        ("fence", f"Here it is:\n```json\n{GOOD}\n```\nI hope it helps."),
        ("fence", f"```\n{GOOD}"),
        ("prose", f"Here is the conversation:\n\n{GOOD}"),
        ("prose", f"{GOOD}\n\nI hope it helps."),
        ("array", json.dumps(ROWS)),
        ("array", json.dumps({"rows": ROWS, "title": "Tom"}, indent=2)),
        ("comma", GOOD.replace("}\n", "},\n")),
        ("lists", "\n".join(map(json.dumps, AS_LISTS))),
        ("numbered", "\n".join(json.dumps({"row": n, **row}) for n, row in enumerate(ROWS))),
        ("names", GOOD.replace('"Think"', '"think"')),
        ("numbers", GOOD.replace('"Think": "3"', '"Think": 3')),
        ("dashes", "\n".join(json.dumps([cell or "-" for cell in row]) for row in AS_LISTS)),
        ("ends", GOOD.removesuffix('<end>"}') + '"}'),
        ("spaces", GOOD.replace('" ', '"')),
    ],
)
def test_each_repair_gives_the_same_rows(repair: str, text: str) -> None:
    written = read_written(text, CHANNELS)
    assert repair in written.repairs
    assert set(written.repairs) <= {repair, "lists"}
    assert written.rows == GOOD_ROWS


def test_pretty_printed_rows_need_no_repair() -> None:
    text = "\n".join(json.dumps(row, indent=2) for row in ROWS)
    assert read_written(text, CHANNELS).rows == GOOD_ROWS


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Dropped.NO_ROWS, ""),
        (Dropped.NO_ROWS, "I'm sorry, I can't."),
        (Dropped.NO_ROWS, "<think>{} {}"),
        (Dropped.NO_ROWS, "User: Tom has 3 apples"),
        (Dropped.BROKEN_ROW, GOOD.replace('"Think": "+4', '"Think": +4')),
        (Dropped.BROKEN_ROW, GOOD[:-1]),
        (Dropped.BROKEN_ROW, GOOD[1:]),
        (Dropped.BROKEN_ROW, GOOD.replace("\n{}\n{\"Think", "\nNow he thinks.\n{\"Think")),
        (Dropped.BROKEN_ROW, '{"User": "a", "User": "b"}'),
        (Dropped.BROKEN_ROW, '{"User": "a", "user": "b"}'),
        (Dropped.BROKEN_ROW, "[" * 100_000),
        (Dropped.UNKNOWN_CHANNEL, GOOD.replace("Skeptical", "Doubt")),
        (Dropped.UNKNOWN_CHANNEL, '{"row": "a"}'),
        (Dropped.WRONG_WIDTH, '["a", null, null]'),
        (Dropped.WRONG_WIDTH, '["a", null, null, null, null]'),
        (Dropped.BAD_CELL, GOOD.replace('"3"', "true")),
        (Dropped.BAD_CELL, GOOD.replace('"3"', '["3"]')),
        (Dropped.BAD_CELL, GOOD.replace('"3"', '"3\\u0000"')),
        (Dropped.BAD_CELL, GOOD.replace('"3"', '"\\ud800"')),
        (Dropped.END_INSIDE, GOOD.replace('"+4=7<end>"', '"+4<end>=7"')),
    ],
)  # fmt: skip
def test_each_reason_to_drop(reason: Dropped, text: str) -> None:
    with pytest.raises(DroppedError) as caught:
        read_written(text, CHANNELS)
    assert caught.value.reason is reason
    assert caught.value.detail


def test_every_reason_has_a_meaning() -> None:
    assert MEANINGS.keys() == set(Dropped)


def test_a_dash_is_a_dash_where_silence_is_known() -> None:
    """The minus that a silence of "-" swallows elsewhere."""
    rows = read_written('{"Think": "7"}\n{"Think": "-"}\n{"Think": "-"}\n{"Think": "2"}', CHANNELS)
    assert [row[2].text for row in rows.rows if row[2]] == ["7", "-", "-", "2"]
    assert "dashes" not in rows.repairs


@pytest.mark.parametrize(
    ("pieces", "meant"),
    [
        (["What is", "it?"], "What is it?"),
        (["Yes.", "It is,", "I think"], "Yes. It is, I think"),
        (["He has", "12", "pens", "."], "He has 12 pens."),
        (["3*4", "=12"], "3*4=12"),  # sums have no spaces, and need none
        (["1", "2"], "12"),
        (["un", " known", "s"], "un knowns"),  # who writes spaces knows where they go
        (["a\n", "b", "c"], "a\nbc"),
    ],
)
def test_spaces(pieces: list[str], meant: str) -> None:
    text = "\n".join(json.dumps({"Output": piece}) for piece in pieces)
    rows = read_written(text, CHANNELS).rows
    assert "".join(row[1].text for row in rows if row[1]) == meant


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda text: END_MARK not in text and text.strip()
)
CELLS = st.none() | st.builds(Cell, TEXTS.map(lambda text: " " + text))


@settings(max_examples=100)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1))
def test_rows_survive_being_written(rows: list[tuple[Cell | None, ...]]) -> None:
    channels = ("User", "Output", "Think")
    written = read_written(as_written(rows, channels), channels)
    assert set(written.repairs) <= {"ends"}
    assert [[None if cell is None else cell.text for cell in row] for row in written.rows] == [
        [None if cell is None else cell.text for cell in row] for row in rows
    ]


@settings(max_examples=200)
@given(st.data())
def test_anything_is_read_or_dropped(data: st.DataObject) -> None:
    """No answer of a model ends in anything but rows of the right width, or a named reason."""
    text = GOOD
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 10))
        put = data.draw(st.sampled_from(['"', "{", "}", "[", "]", ",", "<end>", "\n", "-", "\\"]))
        text = text[:place] + put + text[place + cut :]
    try:
        written = read_written(text, CHANNELS)
    except DroppedError as dropped:
        assert dropped.detail  # noqa: PT017
    else:
        assert all(len(row) == len(CHANNELS) for row in written.rows)
        assert all(END_MARK not in c.text for row in written.rows for c in row if c)


@settings(max_examples=200)
@given(st.text())
def test_any_text_is_read_or_dropped(text: str) -> None:
    try:
        assert read_written(text, CHANNELS).rows
    except DroppedError as dropped:
        assert dropped.detail  # noqa: PT017
