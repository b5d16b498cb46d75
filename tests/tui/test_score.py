"""Columns and systems: aligned rows, visible rests, bar lines where turns begin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from motet.protocol.server_events import RowFrame
from motet.tui.score import REST, CellKind, column_of, columns_of, shown_piece
from motet.tui.systems import BAR, places_of, staves

NAMES = ("User", "Output", "A thought with a long name")


def frame(index: int, *texts: str | None, given: tuple[int, ...] = (0,)) -> RowFrame:
    return RowFrame(
        index=index,
        ids=tuple(0 if text is None else 5 for text in texts),
        text=tuple(text or "" for text in texts),
        silent=tuple(text is None for text in texts),
        given=tuple(channel in given for channel in range(len(texts))),
    )


def lines_of(rows: list[RowFrame], bars: set[int], chosen: int | None = None) -> list[str]:
    columns = columns_of(rows, 0, len(rows))
    drawn = staves(NAMES[: len(rows[0].text)], columns, bars, chosen)
    return ["".join(mark.text for mark in line) for line in drawn]


def test_silence_is_a_rest_and_the_column_as_wide_as_its_widest_cell() -> None:
    column = column_of(frame(3, " apples", None, "7"), None)
    assert [cell.text for cell in column.cells] == ["apples", REST, "7"]
    assert [cell.kind for cell in column.cells] == [
        CellKind.GIVEN, CellKind.REST, CellKind.SPOKEN
    ]  # fmt: skip
    assert column.width == 6


def test_an_end_is_not_a_part_of_a_character() -> None:
    end, part, emoji = frame(0, "", None), frame(1, "", None), frame(2, "😀", None)
    assert column_of(end, frame(1, None, None)).cells[0].kind is CellKind.END
    assert column_of(part, emoji).cells[0].kind is CellKind.GIVEN


def test_pieces_are_visible_and_harmless() -> None:
    assert shown_piece(" a") == "a"
    assert shown_piece(" ") == "␣"
    assert shown_piece("\n") == "↵"
    assert shown_piece("\u0301") == "◌\u0301"
    assert shown_piece("\x1b[0m") == "\ufffd[0m"
    assert cell_len(shown_piece("漢" * 40)) <= 14


def test_voices_stand_below_each_other() -> None:
    rows = [frame(0, "Tom", None), frame(1, " has", "3"), frame(2, None, "!")]
    ruler, user, output = lines_of(rows, {0})
    assert user == f"User    {BAR} Tom has · "
    assert output == f"Output  {BAR} ·   3   ! "
    assert ruler == "          0"


def test_the_ruler_numbers_every_fifth_row_and_the_chosen_one() -> None:
    rows = [frame(index, "ab", None) for index in range(12)]
    plain = lines_of(rows, set())[0]
    assert plain.split() == ["0", "5", "10"]
    chosen = lines_of(rows, set(), chosen=7)[0]
    assert "7" in chosen.split()
    columns = columns_of(rows, 0, 12)
    places = places_of(columns, set(), 8)
    assert chosen.index("7") == places[7]
    assert plain.index("10") == places[10]


PIECES = st.one_of(st.none(), st.text(st.sampled_from("ab 漢\n\u0301😀"), max_size=5))


@given(
    st.lists(st.tuples(PIECES, PIECES, PIECES), min_size=1, max_size=12),
    st.sets(st.integers(0, 12)),
)
def test_every_line_of_a_system_has_the_same_places(
    texts: list[tuple[str | None, str | None, str | None]], bars: set[int]
) -> None:
    rows = [frame(index, *row) for index, row in enumerate(texts)]
    widths = {cell_len(line) for line in lines_of(rows, bars)[1:]}
    assert len(widths) == 1
