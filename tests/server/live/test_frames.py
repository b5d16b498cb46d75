"""Rows are written directly: the text must be what the protocol's classes write."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.protocol.row import Row
from motet.protocol.server_events import RowFrame, Rows, read_server_event
from motet.server.live.frames import rows_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def a_row(draw: st.DrawFn, channels: int = 3) -> Row:
    def cells(values: st.SearchStrategy) -> tuple:  # type: ignore[type-arg]
        return tuple(draw(st.lists(values, min_size=channels, max_size=channels)))

    index = draw(st.integers(0, 10**7))
    flags = st.booleans()
    return Row(index, cells(st.integers(0, 2**31)), cells(TEXT), cells(flags), cells(flags))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(a_row(), max_size=2), st.integers(0, 2**50), st.integers(0, 10**7))
def test_rows_are_written_as_pydantic_does(rows: list[Row], seq: int, num_rows: int) -> None:
    frames = tuple(
        RowFrame(index=r.index, ids=r.token_ids, text=r.deltas, silent=r.silent, given=r.given)
        for r in rows
    )
    event = Rows(seq=seq, row=num_rows, rows=frames)
    text = rows_json(seq, num_rows, rows)
    assert text == event.model_dump_json()
    assert read_server_event(text) == event
