"""Text that grows is broken as if it had been there at once, and never too wide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from motet.tui.flow import Flow, Line, line_breaks

TEXTS = st.text(st.sampled_from("ab -漢é😀\u0301\n\t…"), max_size=60)


def joined(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@given(st.lists(TEXTS, max_size=8), st.integers(2, 20))
def test_pieces_break_like_the_whole(pieces: list[str], width: int) -> None:
    grown, whole = Flow(width), Flow(width)
    for piece in pieces:
        grown.add(piece, "a")
    whole.add("".join(pieces), "a")
    assert joined(grown.lines()) == joined(whole.lines())


@given(TEXTS, st.integers(2, 20))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, width: int) -> None:
    flow = Flow(width)
    flow.add(text, "a")
    lines = joined(flow.lines())
    assert all(cell_len(line.rstrip()) <= width for line in lines)
    assert "".join(lines) == text.replace("\n", "").replace("\t", "    ")


@given(TEXTS, TEXTS, st.integers(2, 20))
def test_what_comes_after_leaves_no_trace(text: str, after: str, width: int) -> None:
    flow, both = Flow(width), Flow(width)
    flow.add(text, "a")
    both.add(text + after, "a")
    before = joined(flow.lines())
    assert joined(flow.lines(after=[(after, "b")])) == joined(both.lines())
    assert joined(flow.lines()) == before


def test_words_stay_whole_where_they_can() -> None:
    assert line_breaks("one two three", 8) == [8]
    assert line_breaks("incomprehensible", 5) == [5, 10, 15]
    assert line_breaks("", 5) == []


def test_styles_stay_with_their_text() -> None:
    flow = Flow(6)
    flow.add("ab ", "x")
    flow.add("cd ef", "y")
    assert flow.lines() == [[("ab ", "x"), ("cd ", "y")], [("ef", "y")]]


def test_a_rule_stands_alone() -> None:
    flow = Flow(6)
    flow.add("ab", "x")
    flow.rule("─ 2", "rule")
    flow.add("\ncd", "x")
    assert joined(flow.lines()) == ["ab", "─ 2 ──", "cd"]


def test_nothing_can_steer_the_terminal() -> None:
    flow = Flow(20)
    flow.add("a\x1b[31mb\x07\u202e", "x")
    assert joined(flow.lines()) == ["a\ufffd[31mb\ufffd\ufffd"]
