"""Chats on three channels: set in full, with wait-k, and what is no chat."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.data.project.chat import ChatProjection
from motet.data.project.corpus import Entry
from motet.data.project.holding import Heard
from motet.data.project.messages import Said, read_messages
from motet.data.project.pieces import pieces, pieces_of
from motet.data.project.projecting import LeftOut
from motet.data.project.sheet import LAG
from motet.data.table import Table
from motet.errors import DataError

USER = {"role": "user", "content": "How many legs have 3 cats and a bird?"}
REPLY = {"role": "assistant", "reasoning": "Cats: 3*4=12.", "content": "They have 14."}


def project(*messages: dict[str, Any], wait_k: int | None = None) -> Table:
    return ChatProjection(wait_k)(Entry({"messages": list(messages)}, "a", "chat.jsonl: line 1"))


def read(*messages: dict[str, Any]) -> list[Said]:
    return read_messages(Entry({"messages": list(messages)}, "a", "chat.jsonl: line 1"))


def spoken(table: Table) -> list[str]:
    rows = [["" if c is None else c.text + "$" * c.end for c in row] for row in table.rows]
    return [f"{user:10}{think:10}{output}".rstrip() for user, output, think in rows]


def test_think_waits_for_the_user_and_output_for_think() -> None:
    thanks = {"role": "user", "content": "Ok."}
    assert spoken(project(USER, REPLY, thanks, REPLY | {"reasoning": ""})) == [
        "How",
        " many",
        " legs",
        " have",
        " 3",
        " cats",
        " and",
        " a",
        " bird?$",
        "",
        "          Cats:",
        "           3*4=12.$",
        "",
        "                    They",
        "                     have",
        "                     14.$",
        "",
        "Ok.$",
        "",
        "                    They",
        "                     have",
        "                     14.$",
        "",
        "",
    ]  # fmt: skip


def test_with_wait_k_think_begins_behind_the_user_but_copies_nothing_unread() -> None:
    table = project(USER, REPLY, wait_k=2)
    assert spoken(table)[:12] == [
        "How",
        " many",
        " legs",
        " have",
        " 3",
        " cats",
        " and",
        " a        Cats:",
        " bird?$    3*4=12.$",
        "",
        "                    They",
        "                     have",
    ]
    assert table.meta == {"source": "chat", "wait_k": 2}


@pytest.mark.parametrize("wait_k", [2, 3, 5, 50])
def test_a_reply_without_copies_begins_k_pieces_behind(wait_k: int) -> None:
    table = project(USER, {"role": "assistant", "content": "Ja so"}, wait_k=wait_k)
    first = next(r for r, cell in enumerate(table.column("Output")) if cell)
    assert first == min(wait_k, 8 + LAG)


words = st.sampled_from(["alpha", "beta!", "gamma,", "12", "a", "1,200", "it", "delta"])
messages = st.lists(words, min_size=1, max_size=8).map(" ".join)


@given(st.lists(st.tuples(messages, messages, messages), min_size=1, max_size=3), st.integers(2, 6))
def test_all_is_said_in_order(turns: list[tuple[str, str, str]], wait_k: int) -> None:
    said: list[dict[str, Any]] = []
    for asked, thought, replied in turns:
        said.append({"role": "user", "content": asked})
        said.append({"role": "assistant", "content": replied, "reasoning": thought})
    table = project(*said, wait_k=wait_k)
    assert table.messages("User") == [turn[0] for turn in turns]
    for position, name in enumerate(("Think", "Output"), start=1):
        text = "".join(cell.text for cell in table.column(name) if cell)
        assert text == "".join(turn[position] for turn in turns)


@given(messages, messages, messages, st.integers(2, 6))
def test_a_copied_word_is_said_after_it_was_read(
    asked: str, thought: str, replied: str, wait_k: int
) -> None:
    reply = {"role": "assistant", "content": replied, "reasoning": thought}
    check_copies(project({"role": "user", "content": asked}, reply, wait_k=wait_k))


def check_copies(table: Table) -> None:
    heard: dict[str, int] = {}
    for r, cell in enumerate(table.column("User")):
        if cell is not None:
            heard.setdefault(cell.text.strip(" ,!"), r)
    for name in ("Think", "Output"):
        for r, cell in enumerate(table.column(name)):
            word = "" if cell is None else cell.text.strip(" ,!")
            if word in heard and word not in ("a", "it"):
                assert heard[word] + LAG <= r


def test_the_check_of_copies_can_fail() -> None:
    table = project(USER, REPLY | {"reasoning": "many cats"}, wait_k=2)
    check_copies(table)
    early = (*table.rows[1:], table.rows[0])
    rows = tuple((row[0], *moved[1:]) for row, moved in zip(table.rows, early, strict=True))
    with pytest.raises(AssertionError):
        check_copies(Table(table.id, table.channels, rows, table.meta))


def test_what_is_taken_over_is_numbers_and_longer_words() -> None:
    heard = Heard()
    heard.add(pieces("The 1,200 cats eat"), 10)
    assert heard.holds(pieces("the cats eat 1200.")) == [0, 12 + LAG, 0, 11 + LAG]
    assert heard.holds(["cat", "s"]) == [12 + LAG, 0]


@given(st.text(max_size=60) | st.text("aあ \n", max_size=60))
def test_pieces_concatenate_to_the_text(text: str) -> None:
    cut = pieces(text)
    assert "".join(cut) == text
    assert all(len(piece.strip()) <= 40 for piece in cut)


def test_pieces_are_words_and_short_where_there_are_no_spaces() -> None:
    assert pieces("Naïve 48/2=24,\n ok ") == ["Naïve", " 48/2=24,", "\n ok", " "]
    assert pieces("日本語のテキスト。") == ["日本語の", "テキスト", "。"]
    assert [len(piece) for piece in pieces("x" * 90)] == [40, 40, 10]


@given(st.text("ab \n", min_size=1, max_size=40), st.data())
def test_the_pieces_of_some_characters(text: str, data: st.DataObject) -> None:
    cut = pieces(text)
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    owner = [n for n, piece in enumerate(cut) for _ in piece]
    assert pieces_of(cut, start, stop) == (owner[start], owner[stop - 1])


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "reasoning": " r ", "content": "c"},
        {"role": "assistant", "reasoning_content": "r", "content": "c"},
        {"role": "assistant", "content": "<think>r</think>c"},
        {"role": "assistant", "content": "\n<think>\nr\n</think>\n\nc"},
        {"role": "assistant", "content": "r</think>c"},
        {"from": "gpt", "value": "<think>r</think>c"},
        {"role": "assistant", "content": [{"type": "text", "text": "<think>r</think>"},
                                          {"type": "text", "text": "c"}]},
    ],
)  # fmt: skip
def test_the_ways_to_write_reasoning(message: dict[str, Any]) -> None:
    assert read(message) == [Said("assistant", "c", "r")]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([USER, {"role": "tool", "content": "x"}], "a role other than"),
        ([USER, REPLY | {"tool_calls": [{}]}], "tool calls"),
        ([USER, {"role": "assistant", "content": "<think>r"}], "without begin or end"),
        ([USER, {"role": "assistant", "content": "a</think>b</think>c"}], "without begin or end"),
        ([USER, REPLY | {"content": "<think>r</think>c"}], "given twice"),
        ([USER, {"role": "assistant", "content": [{"type": "image"}]}], "other than text"),
        ([USER, {"role": "assistant", "content": " "}], "a message without text"),
        ([USER, {"role": "assistant", "content": None}], "a message without text"),
        ([USER], "no reply at the end"),
        ([REPLY], "no message of a user"),
    ],
)
def test_what_no_channel_is_for_is_left_out(messages: list[dict[str, Any]], reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        project(*messages)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "messages: expected a list"),
        ({"messages": []}, "messages: expected a list"),
        ({"messages": ["hi"]}, r"messages\[0\]: expected an object"),
        ({"messages": [{"content": "x"}]}, r"messages\[0\].role"),
        ({"messages": [USER, {"role": "user", "content": 7}]}, r"messages\[1\].content"),
        ({"conversations": [{"from": "human", "value": [3]}]}, r"conversations\[0\].content\[0\]"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            r"messages\[0\].content\[0\].text",
        ),
        ({"messages": [REPLY | {"reasoning": 5}]}, r"messages\[0\].reasoning"),
    ],
)
def test_what_is_malformed_is_named(data: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=f"chat.jsonl: line 1: {named}"):
        ChatProjection()(Entry(data, "a", "chat.jsonl: line 1"))
