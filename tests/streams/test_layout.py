"""A layout on disk says everything and is read strictly: whatever is wrong is a LayoutError."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import LayoutError
from motet.streams import Channel, ConvMode, Layout, Role, SpecialToken
from motet.streams.layout import LAYOUT_FILE, single_channel

LAYOUT = Layout(
    channels=(
        Channel("User", Role.INPUT),
        Channel("Output", Role.OUTPUT),
        Channel("Denk ✍", Role.THOUGHT),
    ),
    silence=SpecialToken(0, "<silence>"),
    end=SpecialToken(7, "<end>"),
    conv_mode=ConvMode.ROW_BOUNDARY,
    channel_embedding=True,
    warm_start=((0, 0, 0), (3, 4, 5)),
)
JSON = LAYOUT.to_json()

# where the values lie in the JSON
PATHS: list[tuple[str | int, ...]] = [
    *[(key,) for key in JSON],
    ("channels", 0),
    ("channels", 0, "name"),
    ("channels", 2, "role"),
    ("silence", "id"),
    ("silence", "text"),
    ("end", "id"),
    ("end", "text"),
    ("warm_start", 1),
    ("warm_start", 1, 2),
]


def parent_of(path: tuple[str | int, ...], data: Any) -> Any:
    for step in path[:-1]:
        data = data[step]
    return data


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any layout that is well-formed."""
    names = draw(st.lists(st.text("abcÄ漢🙂 _-", min_size=1), min_size=1, max_size=5, unique=True))
    roles = [draw(st.sampled_from([Role.INPUT, Role.THOUGHT])) for _ in names]
    roles[-1] = Role.OUTPUT
    if len(names) > 1:
        roles[0] = Role.INPUT
    token_id = st.integers(0, 2**31 - 1)
    special = st.builds(SpecialToken, token_id, st.text(max_size=5))
    row = st.tuples(*[token_id] * len(names))
    silence = draw(special if len(names) > 1 else special | st.none())
    return Layout(
        channels=tuple(map(Channel, names, roles)),
        silence=silence,
        end=draw((special | st.none()).filter(lambda end: end is None or end != silence)),
        conv_mode=draw(st.sampled_from(ConvMode)),
        channel_embedding=draw(st.booleans()),
        warm_start=tuple(draw(st.lists(row, max_size=3))),
    )


@given(layouts())
def test_json_round_trip(layout: Layout) -> None:
    again = Layout.from_json(json.loads(json.dumps(layout.to_json())))
    assert again == layout
    assert again.opening_RC().shape[1] == layout.num_channels


def test_file_round_trip(tmp_path: Path) -> None:
    assert LAYOUT.save(tmp_path) == tmp_path / LAYOUT_FILE
    assert Layout.load(tmp_path) == LAYOUT


@pytest.mark.parametrize("path", [p for p in PATHS if isinstance(p[-1], str)], ids=str)
def test_missing_key(path: tuple[str | int, ...]) -> None:
    data = copy.deepcopy(JSON)
    del parent_of(path, data)[path[-1]]
    with pytest.raises(LayoutError, match=f"missing.*{path[-1]}"):
        Layout.from_json(data)


@pytest.mark.parametrize("at", [(), ("channels", 1), ("silence",), ("end",)], ids=str)
def test_unknown_key(at: tuple[str | int, ...]) -> None:
    data = copy.deepcopy(JSON)
    parent_of((*at, ""), data)["nmae"] = 1
    with pytest.raises(LayoutError, match=r"unknown.*nmae"):
        Layout.from_json(data)


WRONG_TYPES = [
    (path, value)
    for path in PATHS
    for value in (None, True, 1, 1.0, "x", [], {})
    if type(value) is not type(parent_of(path, JSON)[path[-1]])
    and not (value is None and path == ("end",))
]


@pytest.mark.parametrize(("path", "value"), WRONG_TYPES, ids=str)
def test_wrong_type(path: tuple[str | int, ...], value: object) -> None:
    data = copy.deepcopy(JSON)
    parent_of(path, data)[path[-1]] = value
    with pytest.raises(LayoutError, match=str(path[0])):
        Layout.from_json(data)


@pytest.mark.parametrize("path", [("silence", "id"), ("end", "id"), ("warm_start", 1, 2)], ids=str)
@pytest.mark.parametrize("token_id", [-1, 2**31])
def test_token_id_out_of_range(path: tuple[str | int, ...], token_id: int) -> None:
    data = copy.deepcopy(JSON)
    parent_of(path, data)[path[-1]] = token_id
    with pytest.raises(LayoutError, match=f"{path[0]}.*token id"):
        Layout.from_json(data)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(JSON_VALUES)
def test_any_json_is_a_layout_or_a_layout_error(data: object) -> None:
    with pytest.raises(LayoutError):
        Layout.from_json(data)


@given(st.sampled_from(PATHS), JSON_VALUES)
def test_any_value_anywhere_is_a_layout_or_a_layout_error(
    path: tuple[str | int, ...], value: object
) -> None:
    data = copy.deepcopy(JSON)
    parent_of(path, data)[path[-1]] = value
    try:
        layout = Layout.from_json(data)
    except LayoutError:
        return
    assert layout.to_json() == data
    assert layout.opening_RC().shape[1] == layout.num_channels


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "object"),
        (b"1" * 5000, "JSON"),
        (b"[" * 100_000, "JSON"),
        (json.dumps(JSON).encode()[:-5], "JSON"),
    ],
    ids=["empty", "open", "not UTF-8", "array", "huge number", "deep", "truncated"],
)
def test_broken_file(content: bytes, named: str, tmp_path: Path) -> None:
    (tmp_path / LAYOUT_FILE).write_bytes(content)
    with pytest.raises(LayoutError, match=named) as error:
        Layout.load(tmp_path)
    assert LAYOUT_FILE in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="no such file"):
        Layout.load(tmp_path)


def test_directory_for_a_file(tmp_path: Path) -> None:
    (tmp_path / LAYOUT_FILE).mkdir()
    with pytest.raises(LayoutError, match=LAYOUT_FILE):
        Layout.load(tmp_path)


def changed(**changes: object) -> dict[str, Any]:
    return {**copy.deepcopy(JSON), **changes}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (changed(version=2), "version"),
        (changed(channels=[]), "at least one"),
        (changed(channels=[{"name": "A", "role": "output"}] * 2, warm_start=[]), "distinct"),
        (changed(channels=[{"name": "", "role": "output"}], warm_start=[]), "names"),
        (changed(channels=[{"name": "A\nB", "role": "output"}], warm_start=[]), "names"),
        (changed(channels=[{"name": "\ud800", "role": "output"}], warm_start=[]), "names"),
        (changed(channels=[{"name": "A", "role": "input"}], warm_start=[]), "one output"),
        (changed(channels=[{"name": "A", "role": "speaker"}], warm_start=[]), "thought"),
        (changed(silence=None), "silence"),
        (changed(silence={"id": 0, "text": "\ud800"}), "text"),
        (changed(conv_mode="diagonal"), "column or row_boundary"),
        (changed(warm_start=[[0, 0]]), "3 tokens"),
        (changed(warm_start=[[0, 0, 0], [0, 0, 0, 0]]), "3 tokens"),
    ],
)
def test_contradiction(data: dict[str, Any], named: str) -> None:
    with pytest.raises(LayoutError, match=named):
        Layout.from_json(data)


def test_several_channels_need_an_input() -> None:
    channels = [{"name": "A", "role": "output"}, {"name": "B", "role": "thought"}]
    with pytest.raises(LayoutError, match="input channel"):
        Layout.from_json(changed(channels=channels, warm_start=[]))


def test_indices() -> None:
    assert LAYOUT.names == ("User", "Output", "Denk ✍")
    assert LAYOUT.input_indices == (0,)
    assert LAYOUT.sampled_indices == (1, 2)
    assert LAYOUT.thought_indices == (2,)
    assert (LAYOUT.output_index, LAYOUT.prompt_index, LAYOUT.index("Denk ✍")) == (1, 0, 2)
    with pytest.raises(LayoutError, match="one of User, Output, Denk ✍, got 'user'"):
        LAYOUT.index("user")


def test_opening_rows() -> None:
    assert LAYOUT.opening_RC().tolist() == [[0, 0, 0], [3, 4, 5]]
    silent = Layout(LAYOUT.channels, SpecialToken(9, "s"), None, ConvMode.COLUMN, True)
    assert silent.opening_RC().tolist() == [[9, 9, 9]]
    alone = single_channel(None)
    assert alone.opening_RC().shape == (0, 1)
    assert (alone.prompt_index, alone.output_index, alone.num_channels) == (0, 0, 1)
    assert single_channel(None, opening=(5, 6)).opening_RC().tolist() == [[5], [6]]
    for layout in (LAYOUT, silent, alone):
        assert layout.opening_RC().dtype == np.int32


def test_silence_cannot_end_a_message() -> None:
    with pytest.raises(LayoutError, match="other than silence"):
        dataclasses.replace(LAYOUT, end=LAYOUT.silence)
