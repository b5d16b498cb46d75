from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import JournalError
from motet.protocol.server_events import (
    RowFrame,
    ServerEvent,
    SessionRewound,
    TurnContinued,
    TurnEnded,
    TurnStarted,
)
from motet.server.journal import Entry
from motet.server.transcript_text import WIDTH, transcript_text
from motet.server.transcripts import Transcript, TurnSpan, grid_bytes, transcript_of
from motet.streams.grid import Grid
from tests.server.journal.records import LAYOUT, frame, record, rows_event


def _of(*events: ServerEvent) -> Transcript:
    entries = [Entry("s", e.seq, e.row, e.model_dump_json()) for e in events]
    return transcript_of(record("s", title="What is 2+3?"), entries)


def _ended(seq: int, turn: int, reason: str = "end") -> TurnEnded:
    return TurnEnded.model_validate(
        {"seq": seq, "row": 0, "turn": turn, "reason": reason, "rows": 1, "ttft_rows": None,
         "seconds": 1.0}
    )  # fmt: skip


OPENING = frame(0, ("", "", ""), (True, True, True))
TALK = (
    frame(1, ("What", "", "")),
    frame(2, (" is", "", "")),
    frame(3, (" 2+3?", "", "two")),
    frame(4, ("", "It", " and")),
    frame(5, ("", " is\n5", "")),
)
EVENTS: tuple[ServerEvent, ...] = (
    rows_event(1, OPENING),
    TurnStarted(seq=2, row=1, turn=1, from_row=1),
    rows_event(3, *TALK[:2]),
    rows_event(4, *TALK[2:]),
    _ended(5, 1),
)


def test_turns_rows_and_texts_are_resolved() -> None:
    transcript = _of(*EVENTS)
    assert transcript.rows == (OPENING, *TALK)
    assert transcript.turns == (TurnSpan(1, 1, 5, "end"),)
    assert transcript.texts_of(transcript.turns[0]) == {
        "User": "What is 2+3?", "Output": "It is\n5", "Think": "two and",
    }  # fmt: skip
    assert transcript.cuts == ()


def test_the_text_is_a_score_under_the_lines_of_the_channels() -> None:
    assert transcript_text(_of(*EVENTS)) == (
        "What is 2+3?\n"
        "tiny, 2026-09-21 14:13 UTC, 6 rows\n"
        "\n\n"
        "Turn 1, rows 1 to 5, end\n"
        "\n"
        "User    What is 2+3?\n"
        "Output  It is\n"
        "        5\n"
        "Think   two and\n"
        "\n"
        "1  User    What is 2+3?·   ·\n"
        "   Output  ·   ·  ·    It   is⏎5\n"
        "   Think   ·   ·  two   and·\n"
    )


def test_the_text_can_not_steer_a_terminal() -> None:
    steering = frame(1, ("\x1b[2J", "\x07", "\u202egnihton"))
    text = transcript_text(_of(rows_event(1, OPENING, steering), *EVENTS[1:2]))
    assert not set(text) & set("\x1b\x07\u202e")


def test_a_long_turn_is_laid_out_in_systems_that_fit() -> None:
    rows = [frame(index, ("", f" word{index}", "")) for index in range(1, 60)]
    wide = frame(60, ("", " " + "x" * 300, ""))
    text = transcript_text(_of(rows_event(1, OPENING, *rows, wide), *EVENTS[1:2]))
    score = [line for line in text.splitlines() if "Output" in line][1:]
    assert "".join(line.split("Output  ")[1] for line in score).split() == [
        *(f"word{index}" for index in range(1, 60)), "x" * 300,
    ]  # fmt: skip
    assert all(len(line) <= WIDTH for line in score[:-1])
    assert len(score) > 4


def test_a_rewind_takes_rows_and_turns_back_and_keeps_them_apart() -> None:
    second = (frame(6, ("More", "", "")), frame(7, ("", "No", "")))
    again = frame(4, ("", "Five", ""))
    before = (*EVENTS, TurnStarted(seq=6, row=6, turn=2, from_row=6), rows_event(7, *second))
    transcript = _of(
        *before, SessionRewound(seq=8, row=4, to_row=4), rows_event(9, again), _ended(10, 1, "mute")
    )
    assert transcript.rows == (OPENING, *TALK[:3], again)
    assert transcript.turns == (TurnSpan(1, 1, 4, "mute"),)
    assert [(cut.to_row, cut.rows) for cut in transcript.cuts] == [(4, (*TALK[3:], *second))]
    assert "Taken back by a rewind: 4 rows from row 4 on." in transcript_text(transcript)


@pytest.mark.parametrize(
    "event",
    [
        SessionRewound(seq=6, row=5, to_row=5),
        TurnContinued(seq=6, row=6, turn=1, counts_anew=True),
    ],
)
def test_a_turn_that_goes_on_has_not_ended(event: ServerEvent) -> None:
    assert _of(*EVENTS, event).turns[0].reason is None


def test_the_grid_is_read_by_what_reads_grids(tmp_path: Path) -> None:
    transcript = _of(*EVENTS)
    path = tmp_path / "session.npz"
    path.write_bytes(grid_bytes(transcript))
    grid = Grid.load(path)
    assert grid.tokens_RC.tolist() == [list(row.ids) for row in transcript.rows]
    assert grid.given_RC.tolist() == [list(row.given) for row in transcript.rows]


def test_a_session_that_said_nothing_can_be_exported() -> None:
    empty = _of()
    assert empty.grid.tokens_RC.shape == (0, LAYOUT.num_channels)
    assert transcript_text(empty).splitlines()[1].endswith("0 rows")
    assert json.loads(json.dumps(empty.to_json()))["rows"] == []


def test_the_json_document_is_what_the_page_on_operating_describes() -> None:
    document = json.loads(
        json.dumps(_of(*EVENTS, SessionRewound(seq=6, row=5, to_row=5)).to_json())
    )
    assert document["version"] == 1
    assert document["session"]["layout"] == LAYOUT.to_json()
    assert document["turns"][0]["channels"]["Output"] == "It"
    assert [row["index"] for row in document["rows"]] == [0, 1, 2, 3, 4]
    assert document["cuts"][0]["rows"][0]["text"] == ["", " is\n5", ""]
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text("utf-8")

    def names(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(names, value.values()))
        return set().union(*map(names, value)) if isinstance(value, list) else set()

    del document["session"]["layout"], document["turns"][0]["channels"]
    assert [name for name in sorted(names(document)) if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "events",
    [(rows_event(1, TALK[0]),), (rows_event(1, OPENING), rows_event(2, OPENING))],
    ids=["a row is missing", "a row is there twice"],
)
def test_rows_that_do_not_fit_together_are_told(events: tuple[ServerEvent, ...]) -> None:
    with pytest.raises(JournalError, match="expected row"):
        _of(*events)


@pytest.mark.parametrize("text", ["", "{}", '{"type":"rows"}', "[]", '{"type":"poem"}'])
def test_events_of_another_kind_are_told(text: str) -> None:
    with pytest.raises(JournalError, match="events of this version") as told:
        transcript_of(record("s"), [Entry("s", 1, 0, text)])
    assert "\n" not in str(told.value)


_STEPS = st.lists(
    st.one_of(st.tuples(st.just("rows"), st.integers(1, 5)),
              st.tuples(st.just("rewind"), st.integers(0, 30)),
              st.tuples(st.just("turn"), st.just(0))),
    max_size=30,
)  # fmt: skip


@given(_STEPS)
def test_the_transcript_is_what_a_list_that_is_cut_would_hold(
    steps: list[tuple[str, int]],
) -> None:
    model: list[RowFrame] = []
    lost: list[RowFrame] = []
    starts: list[int] = []
    events: list[ServerEvent] = []
    for number, (kind, amount) in enumerate(steps, 1):
        if kind == "rows":
            new = [
                frame(len(model) + n, (f"{number}", "", f"{n}") if n % 2 else ("", "é", ""))
                for n in range(amount)
            ]
            model += new
            events.append(rows_event(number, *new))
        elif kind == "rewind":
            to_row = min(amount, len(model))
            lost += model[to_row:]
            del model[to_row:]
            starts = [start for start in starts if start < to_row]
            events.append(SessionRewound(seq=number, row=to_row, to_row=to_row))
        else:
            starts.append(len(model))
            events.append(
                TurnStarted(seq=number, row=len(model), turn=len(starts), from_row=len(model))
            )
    transcript = _of(*events)
    assert list(transcript.rows) == model
    assert [row for cut in transcript.cuts for row in cut.rows] == lost
    assert [turn.from_row for turn in transcript.turns] == starts
    covered = [row for turn in transcript.turns for row in transcript.rows_of(turn)]
    assert covered == (model[starts[0] :] if starts else [])
    with np.load(io.BytesIO(grid_bytes(transcript))) as arrays:
        assert arrays["tokens"].tolist() == [list(row.ids) for row in model]
    assert transcript_text(transcript).endswith("\n")
