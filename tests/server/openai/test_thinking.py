"""`<think>` blocks are split the same however the text is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.server.openai.thinking import ThinkSplitter
from tests.server.openai.test_stopping import pieces_of

WORDS = st.sampled_from(["<think>", "</think>", "<thi", "</", "think>", " ", "\n", "a", "b <", ">"])
TEXTS = st.lists(WORDS, max_size=8).map("".join)
BLOCK = re.compile(r"\s*<think>\s*(.*?)(?:\s*</think>\s*(.*))?", re.DOTALL)
OPENED = re.compile(r"\s*(.*?)(?:\s*</think>\s*(.*))?", re.DOTALL)


def run(text: str, cuts: list[int], *, starts_in_thought: bool = False) -> tuple[str, str]:
    splitter = ThinkSplitter(starts_in_thought=starts_in_thought)
    parts = [*map(splitter.push, pieces_of(text, cuts)), splitter.flush()]
    return "".join(r for r, _ in parts), "".join(c for _, c in parts)


def expected(text: str, *, starts_in_thought: bool) -> tuple[str, str]:
    match = (OPENED if starts_in_thought else BLOCK).fullmatch(text)
    if match is None:
        return "", text
    return match[1] or "", match[2] or ""


@given(TEXTS, st.lists(st.integers(0, 60)), st.booleans())
def test_the_same_however_it_is_cut(text: str, cuts: list[int], opened: bool) -> None:
    got = run(text, cuts, starts_in_thought=opened)
    assert got == expected(text, starts_in_thought=opened)


@given(TEXTS, st.lists(st.integers(0, 60)), st.booleans())
def test_content_begins_where_it_says(text: str, cuts: list[int], opened: bool) -> None:
    splitter = ThinkSplitter(starts_in_thought=opened)
    parts = [*map(splitter.push, pieces_of(text, cuts)), splitter.flush()]
    content = "".join(c for _, c in parts)
    if splitter.content_from is None:
        assert content == ""
    else:
        assert text[splitter.content_from :] == content


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        ("It is 5.", "", "It is 5."),
        ("<think>\n2, 3\n</think>\n\nIt is 5.", "2, 3", "It is 5."),
        ("<think></think>5", "", "5"),
        ("<think>never closed", "never closed", ""),
        ("5 <think>no</think>", "", "5 <think>no</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("  \n", "", "  \n"),
        ("<thin", "", "<thin"),
    ],
)
def test_examples(text: str, reasoning: str, content: str) -> None:
    for step in (1, 2, 3, 100):
        assert run(text, list(range(0, 100, step))) == (reasoning, content)


def test_shows_thoughts_as_they_come() -> None:
    splitter = ThinkSplitter(starts_in_thought=False)
    assert splitter.push("<think>one two") == ("one two", "")
    assert splitter.push(" ") == ("", "")
    assert splitter.push("three<") == (" three", "")
    assert splitter.push("/think>\nx") == ("", "x")
