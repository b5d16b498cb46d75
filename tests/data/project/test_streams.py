"""Stream tables to ours: ten channels to four, words and tokens, and what is malformed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from motet.data.project.choice import parse_choices
from motet.data.project.corpus import Entry
from motet.data.project.projecting import LeftOut
from motet.data.project.rechannel import begin_rechanneling
from motet.data.project.streams import StreamProjection
from motet.data.project.words import cells_of_words, message_ends
from motet.data.spread import spread
from motet.data.table import Cell, Table
from motet.data.tables import TableDataset
from motet.errors import DataError, SettingError
from motet.streams import Channel, Role
from tests.data.format.conversations import CHANNELS, write_tables_to
from tests.streams.bpe import byte_level_bpe

FOUR = "User=User,Output=Output,Think=Analytical,Skeptical=7"
NAMES = ["User", "Output", "c2", "c3", "Analytical", "c5", "c6", "Doubting", "c8", "c9"]


def project(
    data: dict[str, Any],
    channels: str = FOUR,
    tokenizer: Path | None = None,
    end: int | None = None,
) -> Table:
    projection = StreamProjection(parse_choices(channels), tokenizer, end)
    return projection(Entry(data, "a", "x.jsonl: line 1"))


def columns(table: Table) -> list[list[str | None]]:
    """By channel: texts, with $ where a message ends."""
    return [
        [None if c is None else c.text + "$" * c.end for c in table.column(channel.name)]
        for channel in table.channels
    ]


WORDS: dict[str, list[Any]] = dict.fromkeys(NAMES, ["-"] * 5) | {
    "User": ["Is", "it", "7", "?", "-"],
    "Output": ["-", "-", "-", None, "Yes."],
    "Analytical": ["-", "they", "-", "'re", "sure"],
    "Doubting": ["-", "(", "really", ")", "-"],
}


def test_ten_channels_of_words_become_four() -> None:
    table = project({"id": "a", "num_rows": 5, "input_prompt": "Is it 7?", **WORDS})
    assert [channel.role for channel in table.channels] == [
        Role.INPUT, Role.OUTPUT, Role.THOUGHT, Role.THOUGHT,
    ]  # fmt: skip
    assert columns(table) == [
        ["Is", " it", " 7", "?", None],
        [None, None, None, None, "Yes."],
        [None, "they", None, "'re", " sure"],
        [None, "(", "really", ")", None],
    ]
    assert table.meta == {"source": "stream-data", "input_prompt": "Is it 7?"}


def test_rows_of_words_with_names() -> None:
    rows = [[WORDS[name][r] for name in NAMES] for r in range(5)]
    table = project({"rows": rows, "channels": NAMES})
    assert columns(table) == columns(project(WORDS))


def test_messages_end_where_there_is_silence_for_long() -> None:
    data = {"User": ["a", "-", "b", "-", "-", "c"], "Output": ["-"] * 6}
    table = project(data, "User=0,Output=1", end=2)
    assert columns(table)[0] == ["a", None, " b$", None, None, "c$"]
    assert columns(project(data, "User=0,Output=1"))[0] == ["a", None, " b", None, None, " c"]


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 4))
def test_where_messages_end_by_looking_ahead(speaks: list[bool], end_after: int) -> None:
    expected = [
        row
        for row, is_speaking in enumerate(speaks)
        if is_speaking and not any(speaks[row + 1 : row + 1 + end_after])
    ]
    assert message_ends(speaks, end_after) == expected


@given(st.lists(st.sampled_from(["-", "a", "bc", ".", "(", "x,"]), max_size=10))
def test_words_come_back_in_order(words: list[str]) -> None:
    cells = cells_of_words(words, None)
    assert [cell.text.strip() if cell else "-" for cell in cells] == words
    spoken = [cell.text for cell in cells if cell]
    assert not spoken or not spoken[0].startswith(" ")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Path]:
    made = byte_level_bpe()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return made, path


def test_tokens_become_the_text_that_they_are(tokenizer: tuple[Tokenizer, Path]) -> None:
    """Also characters that take several tokens, and silence between them."""
    made, path = tokenizer
    silence = made.encode(" -").ids[0]
    user = made.encode("The answer is 漢\u2603!").ids
    assert len(user) > len(["The", "answer", "is"]) + 3
    user.insert(-2, silence)  # inside the snowman, which has no token of its own
    output = [silence] * len(user)
    data = {"num_rows": len(user), "token_ids": [user, output]}
    table = project(data, "User=0,Output=1", path)
    assert "".join(cell.text for cell in table.column("User") if cell) == "The answer is 漢☃!"
    assert table.column("Output") == [None] * len(user)
    assert columns(project(data, "User=0,Output=1", path.parent)) == columns(table)


def test_half_a_character_is_left_out(tokenizer: tuple[Tokenizer, Path]) -> None:
    made, path = tokenizer
    ids = made.encode("a\u2603").ids
    silence = made.encode(" -").ids[0]
    for broken in (ids[:-1], [*ids[:-1], made.encode("b").ids[0]]):
        with pytest.raises(LeftOut, match="no text"):
            project({"token_ids": [broken, [silence] * len(broken)]}, "User=0,Output=1", path)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "expected token_ids, rows, or a list a channel"),
        ({"rows": []}, "expected token_ids, rows, or a list a channel"),
        ({"rows": [["a", "b"], ["c"]]}, r"rows\[1\]: expected 2 cells, got 1"),
        ({"rows": [["a"], "b"]}, "rows: expected a list of lists"),
        ({"token_ids": [1, 2]}, "token_ids: expected a list of lists"),
        ({"token_ids": [[1], [2]]}, "0: expected words, got tokens; name their tokenizer"),
        ({"token_ids": [[1], [2]], "channels": ["x"]}, "channels: expected 2 distinct names"),
        ({"token_ids": [[1], [2]], "channels": ["x", "x"]}, "channels: expected 2 distinct"),
        ({"a": ["x"], "b": ["y", "z"]}, "num_rows: expected as many in every channel"),
        ({"a": ["x"], "b": ["y"], "num_rows": 2}, "num_rows: expected as many in every channel"),
        ({"a": ["x"]}, "channel: expected one of a, got '1'"),
        ({"a": ["x"], "b": [1.5]}, "expected words or tokens, got something else"),
        ({"a": ["x"], "b": [True]}, "expected words or tokens, got something else"),
    ],
)
def test_what_is_malformed_is_named(data: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=f"x.jsonl: line 1.*{named}"):
        project(data, "User=0,Output=1")


def test_tokens_that_the_tokenizer_has_not(tokenizer: tuple[Tokenizer, Path]) -> None:
    with pytest.raises(DataError, match=r"line 1: 1\[0\]: token id: expected 0 to"):
        project({"token_ids": [[5], [99_999]]}, "User=0,Output=1", tokenizer[1])


def test_silence_alone_is_left_out() -> None:
    with pytest.raises(LeftOut, match="nothing is said"):
        project({"a": ["-"], "b": ["-"]}, "User=0,Output=1")


def test_roles_and_sources_of_a_choice() -> None:
    choices = parse_choices("In:input=Ask, output=1,Doubt = Critic 2")
    assert [(c.channel, c.source) for c in choices] == [
        (Channel("In", Role.INPUT), "Ask"),
        (Channel("output", Role.OUTPUT), "1"),
        (Channel("Doubt", Role.THOUGHT), "Critic 2"),
    ]
    assert ",".join(map(str, choices)) == "In:input=Ask,output:output=1,Doubt:thought=Critic 2"
    assert parse_choices(",".join(map(str, choices))) == choices


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "expected NAME=SOURCE"),
        ("User=0,Output", "expected NAME=SOURCE"),
        ("=0", "expected NAME=SOURCE"),
        ("User=", "expected NAME=SOURCE"),
        ("User:speaker=0", "expected input or output or thought"),
        ("User=0,Think=1", "expected exactly one output channel"),
        ("Output=0,Think=1", "expected an input channel"),
        ("User=0,Output=1,Think=2,Think=3", "expected distinct, printable names"),
    ],
)
def test_choices_that_make_no_layout(text: str, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        parse_choices(text)


@given(st.text("UserOutput=,:0 ", max_size=30))
def test_whatever_is_typed_is_a_choice_or_a_setting_error(text: str) -> None:
    try:
        choices = parse_choices(text)
    except SettingError:
        return
    assert choices


def test_tables_of_ours_with_other_channels(tmp_path: Path) -> None:
    meta = {"source": "x", "planted": [1], "unlearned": [["Think", 1, 1], ["Output", 0, 0]]}
    rows = ((Cell("u", end=True), None, None), (None, Cell("o"), Cell("t")))
    silent = Table("silent", CHANNELS, ((Cell("x"), None, None),), {})
    write_tables_to(tmp_path / "d", [Table("a", CHANNELS, rows, meta), silent], shard_rows=1)
    choices = parse_choices("In:input=2,Output=Output")
    spread(*begin_rechanneling(tmp_path / "d", tmp_path / "e", choices))
    dataset = TableDataset.open(tmp_path / "e")
    assert [table.to_json() for table in dataset.read()] == [
        {
            "id": "a",
            "rows": [[None, None], ["t", "o"]],
            "meta": meta | {"unlearned": [["In", 1, 1], ["Output", 0, 0]]},
        }
    ]
    assert dataset.description.left_out == {"nothing is said": 1}
    with pytest.raises(DataError, match="expected one of User, Output, Think, got 'Doubt'"):
        begin_rechanneling(tmp_path / "d", tmp_path / "f", parse_choices("User=0,Output=Doubt"))
    assert not (tmp_path / "f").exists()
