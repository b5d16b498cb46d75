"""Lines of `--input`: whatever they hold, an item or an InputError comes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.cli.items import Item, count_lines, parse_item, read_items
from motet.errors import InputError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
almost_items = st.fixed_dictionaries(
    {}, optional={"id": json_values, "text": json_values, "more": json_values}
)
lines = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    json_values.map(lambda value: json.dumps(value).encode()),
    almost_items.map(lambda value: json.dumps(value).encode()),
)


def item_or_error(line: bytes) -> Item | InputError:
    try:
        return parse_item(line, "f:1")
    except InputError as error:
        return error


@settings(max_examples=300, deadline=None)
@given(line=lines)
def test_any_line_is_an_item_or_an_input_error(line: bytes) -> None:
    outcome = item_or_error(line)
    if isinstance(outcome, Item):
        data = json.loads(line)
        assert (outcome.id, outcome.text) == (data["id"], data["text"])
        assert f"{outcome.id}{outcome.text}".encode() is not None, "neither holds a surrogate"
    else:
        assert str(outcome).startswith("f:1")
        assert len(str(outcome).splitlines()) == 1


@settings(max_examples=100, deadline=None)
@given(
    id_=st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    text=st.text(st.characters(exclude_categories=["Cs"])),
    ascii_only=st.booleans(),
)
def test_a_good_line_is_read_exactly(id_: str | int, text: str, ascii_only: bool) -> None:
    data = {"id": id_, "text": text, "answer": [1]}
    line = json.dumps(data, ensure_ascii=ascii_only).encode()
    assert parse_item(line, "f:1") == Item("f:1", id_, text)


def test_lines_are_read_one_by_one_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"id": 1, "text": "a"}\r\n\n  \n{"id": "1", "text": "b"}\nbroken')
    items = read_items(path)
    assert next(items) == Item(f"{path}:1", 1, "a")
    assert next(items) == Item(f"{path}:4", "1", "b")
    with pytest.raises(InputError, match=":5: expected JSON"):
        next(items)
    assert count_lines(path) == 3
