"""When a turn ends, and the silence penalty: scripted rows, the reason and the row.

In a script each channel has one character per row, from row 0 (the opening row): `.` silence, `$`
end, else itself. The message "hi" is read live in rows 1 and 2, its end token in row 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.engine import Feed, Sampling, Settings, StopReason
from motet.engine.turn import Turn, is_loop
from motet.errors import SessionError
from motet.streams import Layout
from tests.engine.scripted import (
    CERTAIN,
    END,
    GREEDY,
    OWN,
    PUBLISHED,
    SILENCE,
    VOCAB_SIZE,
    WITHOUT_END,
    engine_of,
    id_of,
    layout_of,
    scripted_engine,
)

QUICK: dict[str, Any] = {"quiet_rows": 3, "mute_rows": 10, "max_rows": 40}


def rows_and_reason(
    layout: Layout, says: dict[str, str], *, otherwise: str = ".", **changes: Any
) -> tuple[int, StopReason | None]:
    """How many rows a session has when the turn of "hi" is over, and why it is."""
    engine = scripted_engine(layout, says, otherwise=otherwise)
    session = engine.open(engine.settings(**{**QUICK, **changes}))
    session.give("hi")
    list(engine.stream(session))
    assert not session.is_active
    return len(session.rows), session.stopped_by


@pytest.mark.parametrize(
    ("says", "rows", "reason"),
    [
        # Both end in row 6.
        ({"Output": "....ok$", "Think": "....so$"}, 7, StopReason.END),
        # Think ends later; then Output does.
        ({"Output": "....ok$", "Think": "....so on$".replace(" ", "_")}, 10, StopReason.END),
        ({"Output": ".......ok$", "Think": "....so$"}, 10, StopReason.END),
        # Output stops without an end token: three silent rows.
        ({"Output": "....ok", "Think": "....s$"}, 9, StopReason.END),
        # Think never speaks, and has been silent long enough when Output ends.
        ({"Output": "....ok$"}, 7, StopReason.END),
        # Output ends in row 2, but Think has been silent for only two rows of this turn: row 3.
        ({"Output": ".o$"}, 4, StopReason.END),
        # A pause shorter than quiet_rows ends nothing, one as long does.
        ({"Output": "....o..k$", "Think": "....s$"}, 9, StopReason.END),
        ({"Output": "....o...k$", "Think": "....s$"}, 8, StopReason.END),
        # Think starts again after its end token: it no longer rests.
        ({"Output": "....ok$", "Think": "..s$.." + "so$"}, 9, StopReason.END),
        # An end token alone is not speech: nobody speaks, silent from row 5 on.
        ({"Output": "....$"}, 15, StopReason.MUTE),
        # Think talks to itself and ends, Output never says a word.
        ({"Think": "....so$"}, 17, StopReason.MUTE),
        ({}, 14, StopReason.MUTE),
        # Output starts in the last row before it would be mute.
        ({"Output": ".............o$"}, 15, StopReason.END),
    ],
)
def test_own_layout(says: dict[str, str], rows: int, reason: StopReason) -> None:
    assert rows_and_reason(OWN, says) == (rows, reason)


@pytest.mark.parametrize(
    ("says", "rows", "reason"),
    [
        # "hi" is rows 1 and 2; there is no end token.
        ({"Output": "....ok"}, 9, StopReason.END),
        ({"Output": "....ok", "Think": "....so_it"}, 12, StopReason.END),
        ({"Output": "....o..k.."}, 11, StopReason.END),
        ({"Skeptical": "....no"}, 16, StopReason.MUTE),
        ({}, 13, StopReason.MUTE),
    ],
)
def test_published_layout_without_end_token(
    says: dict[str, str], rows: int, reason: StopReason
) -> None:
    assert rows_and_reason(PUBLISHED, says) == (rows, reason)


@pytest.mark.parametrize("quiet_rows", [1, 2])
def test_silence_before_output_speaks_ends_nothing(quiet_rows: int) -> None:
    """The known defect of the parent code: with one silent row it stops before Output speaks."""
    says = {"Output": "." * 30 + "ok"}
    got = rows_and_reason(WITHOUT_END, says, quiet_rows=quiet_rows, mute_rows=100, max_rows=100)
    assert got == (32 + quiet_rows, StopReason.END)


def test_mute_rows_are_counted_after_the_user() -> None:
    for mute_rows in (1, 4, 20):
        assert rows_and_reason(OWN, {}, mute_rows=mute_rows) == (4 + mute_rows, StopReason.MUTE)


def test_a_thought_puts_mute_off() -> None:
    says = {"Think": "........s"}
    assert rows_and_reason(OWN, says, mute_rows=5) == (14, StopReason.MUTE)


def test_max_rows_counts_from_the_message() -> None:
    says = {"Output": "....", "Think": "...."}
    got = rows_and_reason(OWN, says, otherwise="abcdefg", max_rows=9)
    assert got == (10, StopReason.MAX_ROWS)


def test_max_rows_with_prefill_counts_the_same() -> None:
    says = {"Output": "....", "Think": "...."}
    got = rows_and_reason(OWN, says, otherwise="abcdefg", max_rows=9, feed=Feed.PREFILL)
    assert got == (10, StopReason.MAX_ROWS)


def test_context() -> None:
    engine = scripted_engine(OWN, {}, otherwise="abcdefg")
    session = engine.open(engine.settings(max_rows=40), context_rows=20)
    session.give("hi")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (20, StopReason.CONTEXT)
    assert session.state.num_rows == 20
    assert not session.is_active


@pytest.mark.parametrize(
    ("otherwise", "rows"),
    [
        ("a", 4 + 48),
        ("ab", 4 + 48),
        ("a..b", 4 + 96),  # silence between does not hide it
        ("abcdefghijkl", 4 + 48),
        ("abcdefghijklm", 4 + 52),  # four times thirteen
        ("abcdefghijklmnopqrstuvwxyz012345", 4 + 128),
    ],
)
def test_true_loops_end(otherwise: str, rows: int) -> None:
    says = {"Output": "....", "Think": "." * 300}
    got = rows_and_reason(OWN, says, otherwise=otherwise, max_rows=290, quiet_rows=200)
    assert got == (rows, StopReason.REPETITION)


def test_a_looping_thought_ends_the_turn_too() -> None:
    says = {"Think": "....", "Output": "." * 300}
    got = rows_and_reason(OWN, says, otherwise="so_", max_rows=290)
    assert got == (52, StopReason.REPETITION)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 47,  # one short
        "a" * 47 + "b" + "a" * 47,
        "ab" * 23 + "a",
        "abcdefghijklm" * 3 + "abcdefghijkl",  # not quite four times
        "0123456789abcdefghijklmnopqrstuvwxyz",  # 36 distinct letters and
        "0123456789abcdefghijklmnopqrstuvwxyz" * 3,  # a period beyond 32
        "thequickbrownfoxjumpsoverthelazydog" * 2,
    ],
)
def test_what_is_no_loop_does_not_end(text: str) -> None:
    got = rows_and_reason(OWN, {"Output": "...." + text + "$"}, max_rows=400)
    assert got == (4 + len(text) + 1, StopReason.END)


@given(st.lists(st.integers(0, 2), max_size=8), st.integers(1, 40), st.integers(0, 130))
def test_is_loop_equals_its_definition(head: list[int], period: int, length: int) -> None:
    """Every suffix that is a loop, tried one by one."""
    piece = list(range(10, 10 + period))
    tokens = head + [piece[i % period] for i in range(length)]

    def repeats(p: int) -> bool:
        n = max(4 * p, 48)
        tail = tokens[len(tokens) - n :]
        return len(tokens) >= n and all(tail[i] == tail[i % p] for i in range(n))

    assert is_loop(tokens) == any(repeats(p) for p in range(1, 33))


def test_the_rest_of_an_old_reply_does_not_count() -> None:
    """Interrupted in the middle of `abcdef$`; its rest must not end the new turn."""
    engine = scripted_engine(OWN, {"Output": "....abcdef$........" + "new$"})
    session = engine.open(engine.settings(**QUICK))
    session.give("hi")
    while len(session.rows) < 7:
        engine.step([session])
    session.interrupt("no")  # rows 7 and 8, end in row 9; Output ends its old reply in row 10
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (23, StopReason.END)
    assert session.text("Output") == "abcdef\nnew"
    assert session.turn.ttft_rows == 13  # row 19 is the 13th since row 7


def test_the_rest_of_an_old_reply_without_end_tokens() -> None:
    engine = scripted_engine(WITHOUT_END, {"Output": "...abcdef......new"})
    session = engine.open(engine.settings(**QUICK))
    session.give("hi")
    while len(session.rows) < 5:
        engine.step([session])
    session.interrupt("no")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (21, StopReason.END)


def test_a_message_that_cuts_off_another_counts_as_speech_of_the_user() -> None:
    """Without end tokens the User goes from one message into the next without a pause."""
    engine = scripted_engine(WITHOUT_END, {})
    session = engine.open(engine.settings(**QUICK))
    session.give("hohoho")
    while len(session.rows) < 4:
        engine.step([session])
    session.interrupt("no")  # rows 4 and 5, then ten silent ones
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (16, StopReason.MUTE)


def test_a_reply_right_after_an_end_token_counts() -> None:
    """The old reply ends in row 7; the next message begins in row 8, so nothing is left over."""
    engine = scripted_engine(OWN, {"Output": "....abc$...." + "new$"})
    session = engine.open(engine.settings(**QUICK))
    session.give("hi")
    while len(session.rows) < 6:
        engine.step([session])
    session.interrupt("x")  # rows 6 and 7: the rest of the old reply is in this turn
    while len(session.rows) < 8:
        engine.step([session])
    session.interrupt("y")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (16, StopReason.END)


def test_an_old_reply_that_loops_is_noticed_after_an_interruption() -> None:
    engine = scripted_engine(OWN, {"Output": "....", "Think": "." * 300}, otherwise="ab")
    session = engine.open(engine.settings(max_rows=200))
    session.give("hi")
    while len(session.rows) < 20:
        engine.step([session])
    session.interrupt("stop")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (68, StopReason.REPETITION)


def test_one_channel_replies_to_every_message() -> None:
    """A reply cut off by max_rows leaves nothing over where messages share its stream."""
    layout = layout_of("Think")
    single = Layout(layout.channels[1:2], None, END, layout.conv_mode, channel_embedding=False)
    engine = scripted_engine(single, {"Output": "__abcdefgh__new$"}, otherwise="z")
    session = engine.open(engine.settings(max_rows=6))
    session.give("hi")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (6, StopReason.MAX_ROWS)
    session.give("hi")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (12, StopReason.MAX_ROWS)
    session.give("hi")
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (16, StopReason.END)
    assert session.text("Output").endswith("hiw")


class TestContinue:
    """`continue_turn`: the same turn, with its limits counted anew."""

    def opened(self, says: dict[str, str], **changes: Any) -> tuple[Any, Any]:
        engine = scripted_engine(OWN, says)
        session = engine.open(engine.settings(**{**QUICK, **changes}))
        session.give("hi")
        list(engine.stream(session))
        return engine, session

    def test_a_sentence_cut_by_max_rows_can_end(self) -> None:
        engine, session = self.opened({"Output": "....abcdefghijklm$"}, max_rows=8)
        assert (len(session.rows), session.stopped_by) == (9, StopReason.MAX_ROWS)
        session.continue_turn()
        assert session.is_active
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (17, StopReason.MAX_ROWS)
        session.continue_turn()
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (18, StopReason.END)
        assert session.turn.ttft_rows == 4

    def test_a_mute_session_gets_as_many_rows_again(self) -> None:
        engine, session = self.opened({"Output": "." * 20 + "ok$"})
        assert (len(session.rows), session.stopped_by) == (14, StopReason.MUTE)
        session.continue_turn()
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (23, StopReason.END)

    def test_a_loop_may_loop_again(self) -> None:
        says = {"Output": "...." + "ab" * 200, "Think": "." * 400}
        engine, session = self.opened(says, max_rows=300, quiet_rows=200)
        assert (len(session.rows), session.stopped_by) == (52, StopReason.REPETITION)
        session.continue_turn()
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (100, StopReason.REPETITION)

    def test_fork_and_rewind_know_of_it(self) -> None:
        engine, session = self.opened({"Output": "....abcdefghijklm$"}, max_rows=8)
        session.continue_turn()
        fork = engine.fork(session)
        list(engine.stream(fork))
        assert (len(fork.rows), fork.stopped_by) == (17, StopReason.MAX_ROWS)
        engine.rewind(fork, 12)
        list(engine.stream(fork))
        assert (len(fork.rows), fork.stopped_by) == (17, StopReason.MAX_ROWS)
        engine.rewind(fork, 8)  # before it: the first limit holds again
        list(engine.stream(fork))
        assert (len(fork.rows), fork.stopped_by) == (9, StopReason.MAX_ROWS)
        assert len(session.rows) == 9

    def test_before_any_message(self) -> None:
        engine = scripted_engine(OWN, {})
        with pytest.raises(SessionError, match="continue: expected a message given before"):
            engine.open().continue_turn()


RAMP = {0: 0.0, 1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8, 5: 1.0, 6: 1.0, 7: 1.0, 100: 1.0}


@pytest.mark.parametrize(("k", "share"), RAMP.items())
@pytest.mark.parametrize("penalty", [1.0, 2.5, -1.0, 0.0])
def test_ramp(k: int, share: float, penalty: float) -> None:
    """k rows after the User: penalty * min(1, k / 5); Output has a penalty, thoughts another."""
    layout = layout_of("Think", "Skeptical")
    settings = Settings(silence_penalty_output=penalty, silence_penalty_thought=3 * penalty)
    turn = Turn(layout, settings, [False] * 4)
    silent = [SILENCE.id] * 4
    for _ in range(8):  # before the User has spoken there is none, however long it is silent
        turn.hear(silent, [True, False, False, False])
        assert [turn.silence_penalty(c) for c in (1, 2, 3)] == [0, 0, 0]
    turn.hear([id_of("h"), 0, 0, 0], [True, False, False, False])
    assert [turn.silence_penalty(c) for c in (1, 2, 3)] == [0, 0, 0]
    for _ in range(k):
        turn.hear(silent, [True, False, False, False])
    got = [turn.silence_penalty(c) for c in (1, 2, 3)]
    assert got == pytest.approx([penalty * share, 3 * penalty * share, 3 * penalty * share])


def test_ramp_restarts_with_the_user_and_stops_at_an_end_token() -> None:
    turn = Turn(OWN, Settings(), [False] * 3)

    def hear(user: int, output: int) -> list[float]:
        turn.hear([user, output, SILENCE.id], [True, False, False])
        return [turn.silence_penalty(1), turn.silence_penalty(2)]

    a = id_of("a")
    hear(a, SILENCE.id)
    assert hear(SILENCE.id, SILENCE.id) == pytest.approx([0.2, 0.2])
    assert hear(SILENCE.id, a) == pytest.approx([0.4, 0.4])
    assert hear(a, a) == [0, 0]
    assert hear(SILENCE.id, a) == pytest.approx([0.2, 0.2])
    assert hear(SILENCE.id, END.id) == pytest.approx([0.0, 0.4])  # it has said all
    assert hear(SILENCE.id, SILENCE.id) == pytest.approx([0.0, 0.6])
    assert hear(SILENCE.id, a) == pytest.approx([0.8, 0.8])  # it speaks again


@pytest.mark.parametrize(
    ("margin", "penalty", "row"),
    [
        (0.1, 1.0, 5),  # 0.2 is taken off once one silent row was read: the row after row 4
        (0.3, 1.0, 6),
        (0.5, 1.0, 7),
        (0.7, 1.0, 8),
        (0.9, 1.0, 9),
        (1.1, 1.0, None),
        (1.1, 2.0, 7),
        (0.1, 0.0, None),
    ],
)
def test_ramp_in_a_session(margin: float, penalty: float, row: int | None) -> None:
    """Output prefers silence to `a` by a margin; it speaks once the penalty beats it."""

    def predict(tokens_RC: Any) -> Any:
        logits = np.full((3, VOCAB_SIZE), -CERTAIN, np.float32)
        logits[:, SILENCE.id] = 0
        logits[1, id_of("a")] = -margin
        return logits

    engine = engine_of(OWN, predict)
    changes = {"silence_penalty_output": penalty, "silence_penalty_thought": 0.0}
    session = engine.open(engine.settings(**{**QUICK, "max_rows": 12}, **changes))
    session.give("hi")
    list(engine.stream(session))
    spoken = np.flatnonzero(session.grid.column(1) == id_of("a"))
    assert (spoken[0] if len(spoken) else None) == row


def test_thoughts_have_a_penalty_of_their_own() -> None:
    def predict(tokens_RC: Any) -> Any:
        logits = np.full((3, VOCAB_SIZE), -CERTAIN, np.float32)
        logits[:, SILENCE.id] = 0
        logits[:, id_of("a")] = -0.5
        return logits

    engine = engine_of(OWN, predict)
    for output, thought, spoken in ((1.0, 0.0, [False, True, False]), (0.0, 1.0, [0, 0, 1])):
        settings = Settings(GREEDY, silence_penalty_output=output, silence_penalty_thought=thought)
        session = engine.open(settings)
        session.give("hi")
        for _ in range(15):
            engine.step([session])
        assert (session.grid.tokens_RC == id_of("a")).any(axis=0).tolist() == spoken


def test_repetition_penalty_is_of_the_channel_alone() -> None:
    """A channel turns to its second choice once it has said its first; silence and end are free."""

    def predict(tokens_RC: Any) -> Any:
        logits = np.zeros((3, VOCAB_SIZE), np.float32)
        logits[:, id_of("a")], logits[:, id_of("b")] = 4.0, 3.0
        if len(tokens_RC) >= 8:
            logits[:, SILENCE.id] = 3.5
        return logits

    engine = engine_of(OWN, predict)
    twice = Sampling(temperature=0.0, repetition_penalty=2.0)
    settings = Settings(
        GREEDY, {"Output": twice}, silence_penalty_output=0.0, silence_penalty_thought=0.0
    )
    session = engine.open(settings)
    session.give("hi")
    while len(session.rows) < 12:
        engine.step([session])
    assert session.text("Think") == "a" * 11
    assert session.text("Output") == "abaaaaa"
    assert session.grid.column(1)[8:].tolist() == [SILENCE.id] * 4
