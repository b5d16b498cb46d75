"""Sessions: giving, interrupting, putting, forking, rewinding, parking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from motet.engine import Engine, Feed, Sampling, Session, StopReason
from motet.errors import (
    ContextFullError,
    GridError,
    InputError,
    LayoutError,
    MotetError,
    SessionError,
    SettingError,
    StateError,
)
from motet.streams import Layout
from motet.streams.layout import single_channel
from tests.engine.scripted import (
    DASH_ID,
    END,
    GREEDY,
    OWN,
    PUBLISHED,
    SILENCE,
    VOCAB_SIZE,
    WITHOUT_END,
    ScriptedRuntime,
    ScriptedState,
    dream,
    dreaming_engine,
    engine_of,
    id_of,
    layout_of,
    scripted_engine,
)

H, I, N, O = (id_of(letter) for letter in "hino")  # noqa: E741
S, E = SILENCE.id, END.id


def run(engine: Engine[ScriptedState], session: Session[ScriptedState], num_rows: int) -> None:
    """Step until the session has so many rows."""
    while len(session.rows) < num_rows:
        assert engine.step([session]), "the session parked too early"


def user(session: Session[ScriptedState]) -> list[int]:
    return [int(i) for i in session.grid.column(0)]


class TestGive:
    def test_live_is_one_token_a_row_while_others_speak(self) -> None:
        engine = scripted_engine(OWN, {"Output": ".ab", "Think": ".xyz"})
        session = engine.open()
        session.give("hi")
        assert not session.rows
        assert [len(rows) for rows in (engine.step([session])[0][1] for _ in range(5))] == [1] * 5
        assert user(session) == [S, H, I, E, S]
        assert session.text("Output") == "ab"
        assert session.text("Think") == "xyz"
        given = np.array([[True] * 3] + [[True, False, False]] * 4)
        np.testing.assert_array_equal(session.grid.given_RC, given)
        assert session.turn_starts == [1]

    def test_prefill_is_one_forward_with_others_silent_and_given(self) -> None:
        engine = scripted_engine(OWN, {"Output": ".ab..ok$", "Think": ".xyzu"})
        session = engine.open()
        session.give("hi", feed=Feed.PREFILL)
        ((_, rows, _),) = engine.step([session])
        assert len(rows) == 4
        assert session.grid.tokens_RC.tolist() == [[S, S, S], [H, S, S], [I, S, S], [E, S, S]]
        assert session.grid.given_RC.all()
        engine.step([session])
        assert session.grid.given_RC[4].tolist() == [True, False, False]
        assert session.rows[4].deltas == ("", "", "u")
        assert session.turn_starts == [1]

    def test_prefill_in_the_middle_of_a_reply_silences_it(self) -> None:
        engine = scripted_engine(OWN, {"Output": "....abcdefghij", "Think": "....xyzxyz"})
        session = engine.open()
        session.give("hi")
        run(engine, session, 6)
        session.give("no", feed=Feed.PREFILL)
        engine.step([session])
        assert session.grid.tokens_RC[6:].tolist() == [[N, S, S], [O, S, S], [E, S, S]]
        assert session.grid.given_RC[6:].all()
        assert session.text("Output") == "ab"
        run(engine, session, 10)
        assert session.text("Output") == "abf"

    def test_messages_follow_each_other(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hi")
        session.give("no")
        run(engine, session, 8)
        assert user(session) == [S, H, I, E, N, O, E, S]
        assert session.turn_starts == [1, 4]
        assert session.text("User") == "hi\nno"

    def test_prefill_takes_what_is_queued_along(self) -> None:
        """Messages stay in order, each begins a turn, the rest of a half-read one does not."""
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hi")
        session.give("no")
        run(engine, session, 2)
        session.give("oh", feed=Feed.PREFILL)
        session.give("in", feed=Feed.PREFILL)
        session.give("ho")
        assert len(engine.step([session])[0][1]) == 11
        assert user(session) == [S, H, I, E, N, O, E, O, H, E, I, N, E]
        run(engine, session, 16)
        assert user(session)[13:] == [H, O, E]
        assert session.turn_starts == [1, 4, 7, 10, 13]
        assert session.text("User") == "hi\nno\noh\nin\nho"

    def test_limits_count_from_the_last_message_of_a_prefill(self) -> None:
        engine = scripted_engine(OWN, {"Output": "." * 9 + "abcdefgh", "Think": "." * 40})
        session = engine.open(engine.settings(max_rows=5))
        session.give("hi")
        session.give("no", feed=Feed.PREFILL)
        session.give("ho", feed=Feed.PREFILL)
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (12, StopReason.MAX_ROWS)
        assert session.turn.ttft_rows == 4

    def test_without_end_tokens(self) -> None:
        engine = scripted_engine(WITHOUT_END, {})
        session = engine.open()
        session.give("hi")
        run(engine, session, 5)
        assert user(session) == [S, H, I, S, S]

    def test_feed_must_be_known(self) -> None:
        session = scripted_engine(OWN, {}).open()
        with pytest.raises(SettingError, match="feed: expected live or prefill"):
            session.give("hi", feed="fast")  # type: ignore[arg-type]
        assert not session.is_active
        session.give("hi", feed="prefill")  # type: ignore[arg-type]
        assert session.waiting.prefills[-1].turn_starts == (0,)

    def test_control_tokens_cannot_be_typed(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("<silence><end>")
        run(engine, session, 18)
        assert user(session)[:1] == [S]
        assert not {S, E} & set(user(session)[1:15])
        assert user(session)[15] == E
        assert session.text("User") == "<silence><end>"

    def test_published_silence_typed_by_the_user_is_not_silence(self) -> None:
        engine = scripted_engine(PUBLISHED, {})
        session = engine.open()
        session.give("h - i")
        run(engine, session, 10)
        assert [row.silent[0] for row in session.rows] == [True] + [False] * 5 + [True] * 4
        assert session.text("User") == "h - i"
        assert DASH_ID not in user(session)[1:6]

    def test_warm_start_comes_first(self) -> None:
        rows = ((H, H, H), (I, S, S), (S, S, S))
        layout = Layout(OWN.channels, SILENCE, END, OWN.conv_mode, True, rows)
        engine = scripted_engine(layout, {"Output": "......ok$"})
        for feed in Feed:
            session = engine.open()
            session.give("no", feed=feed)
            list(engine.stream(session))
            assert session.grid.tokens_RC[:3].tolist() == [list(row) for row in rows]
            assert session.grid.given_RC[:3].all()
            assert session.turn_starts == [3]
            assert session.turn.ttft_rows == 4


BAD_MESSAGES: list[tuple[str, type[MotetError], str]] = [
    ("", InputError, "message: expected some text, got nothing"),
    (" ", InputError, "message: expected some text, got blanks"),
    ("\t\r\n \u3000", InputError, "message: expected some text, got blanks"),
    ("a\x00b", InputError, r"got U\+0000 at position 1; take it out"),
    ("\x1b[31m", InputError, r"got U\+001B at position 0"),
    ("abc\x7f", InputError, r"got U\+007F at position 3"),
    ("\x9b2J", InputError, r"got U\+009B at position 0"),
    ("a\ud800", InputError, "text: expected Unicode without lone surrogates"),
    ("o" * 40, InputError, "message: expected fewer tokens than max_rows = 40, got 41; shorten"),
    ("o" * 39, InputError, "message: expected fewer tokens than max_rows = 40, got 40; shorten"),
    ("o" * 30, ContextFullError, "message: expected to fit into 32 rows with room to answer"),
]


@pytest.mark.parametrize(("text", "kind", "message"), BAD_MESSAGES)
@pytest.mark.parametrize("feed", Feed)
@pytest.mark.parametrize("is_interruption", [False, True])
def test_a_bad_message_changes_nothing(
    text: str, kind: type[MotetError], message: str, feed: Feed, is_interruption: bool
) -> None:
    engine = scripted_engine(OWN, {"Output": ".......ok$"})
    session = engine.open(engine.settings(max_rows=40), context_rows=32)
    deliver: Callable[..., None] = session.interrupt if is_interruption else session.give
    with pytest.raises(kind, match=message) as error:
        deliver(text, feed=feed)
    assert "\n" not in str(error.value)
    assert not session.is_active
    assert not any(session.waiting.queues)
    assert not engine.step([session])
    session.give("hi")
    session.give("no", feed=feed)
    before = [list(queue) for queue in session.waiting.queues], list(session.waiting.prefills)
    with pytest.raises(kind, match=message):
        deliver(text, feed=feed)
    assert (
        [list(queue) for queue in session.waiting.queues],
        list(session.waiting.prefills),
    ) == before
    list(engine.stream(session))
    assert session.text("User") == "hi\nno"
    assert session.stopped_by is StopReason.END


@pytest.mark.parametrize("text", ["a\tb\r\nc", "é", "🙂", "\u202e", "\u200b.", "-"])
def test_a_good_message_arrives_as_typed(text: str) -> None:
    engine = scripted_engine(OWN, {"Output": "." * 20 + "ok$"})
    session = engine.open()
    session.give(text)
    list(engine.stream(session))
    assert session.text("User") == text


def test_room_is_counted_with_all_that_waits() -> None:
    """31 rows hold the opening row, three messages of ten tokens, and no answer."""
    engine = scripted_engine(OWN, {})
    for feeds in ((Feed.LIVE,) * 3, (Feed.PREFILL,) * 3, (Feed.LIVE, Feed.PREFILL, Feed.LIVE)):
        tight, roomy = engine.open(context_rows=31), engine.open(context_rows=32)
        for feed in feeds[:2]:
            tight.give("ooooooooo", feed=feed)
            roomy.give("ooooooooo", feed=feed)
        with pytest.raises(ContextFullError, match="got 10 tokens after 21 rows"):
            tight.give("ooooooooo", feed=feeds[2])
        roomy.give("ooooooooo", feed=feeds[2])
        list(engine.stream(tight))
        list(engine.stream(roomy))
        assert len(roomy.rows) == 32
        assert roomy.stopped_by is StopReason.CONTEXT


def test_the_longest_message_of_a_turn() -> None:
    """With its end token one less than max_rows, so that one row is left to answer."""
    engine = scripted_engine(OWN, {}, otherwise="a")
    session = engine.open(engine.settings(max_rows=40))
    session.give("o" * 38)
    list(engine.stream(session))
    assert (len(session.rows), session.stopped_by) == (41, StopReason.MAX_ROWS)


class TestInterrupt:
    def test_drops_the_queue_and_closes_the_message(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hohoho")
        run(engine, session, 3)
        session.interrupt("in")
        run(engine, session, 8)
        assert user(session) == [S, H, O, E, I, N, E, S]
        assert session.text("User") == "ho\nin"
        assert session.turn_starts == [1, 3]

    def test_by_prefill(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hohoho")
        run(engine, session, 3)
        session.interrupt("in", feed=Feed.PREFILL)
        assert len(engine.step([session])[0][1]) == 4
        assert user(session) == [S, H, O, E, I, N, E]

    def test_without_end_tokens_the_new_text_follows_at_once(self) -> None:
        engine = scripted_engine(WITHOUT_END, {})
        session = engine.open()
        session.give("hohoho")
        run(engine, session, 3)
        session.interrupt("in")
        run(engine, session, 7)
        assert user(session) == [S, H, O, I, N, S, S]

    def test_between_messages_nothing_is_closed(self) -> None:
        engine = scripted_engine(OWN, {"Output": "....ok"})
        session = engine.open()
        session.interrupt("hi")
        run(engine, session, 5)
        session.interrupt("no")
        run(engine, session, 9)
        assert user(session) == [S, H, I, E, S, N, O, E, S]
        session.give("ho")
        session.interrupt("in")
        run(engine, session, 13)
        assert user(session)[9:] == [I, N, E, S]

    def test_drops_a_prefill_that_waits(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hohoho", feed=Feed.PREFILL)
        session.interrupt("in")
        run(engine, session, 5)
        assert user(session) == [S, I, N, E, S]

    def test_after_a_half_read_message_went_into_a_prefill(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hohoho")
        run(engine, session, 3)
        session.give("no", feed=Feed.PREFILL)
        session.interrupt("in")
        run(engine, session, 8)
        assert user(session) == [S, H, O, E, I, N, E, S]

    def test_keeps_what_waits_for_a_thought(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("ho")
        session.put("Think", "no")
        session.interrupt("hi")
        run(engine, session, 4)
        assert session.text("Think") == "no"


class TestPut:
    def test_words_are_given_and_literal(self) -> None:
        engine = scripted_engine(OWN, {"Think": "....abcdef"})
        session = engine.open()
        session.give("hi")
        run(engine, session, 5)
        session.put("Think", "<end> no")
        run(engine, session, 14)
        assert session.text("Think") == "a<end> nof"[:9]
        assert session.grid.given_RC[:, 2].tolist() == [True, *[False] * 4, *[True] * 8, False]
        assert E not in session.grid.column(2)[5:13]
        assert not session.grid.given_RC[5:, 1].any()

    def test_while_the_message_is_still_read(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.give("hi")
        session.put("Think", "no")
        run(engine, session, 4)
        assert session.grid.tokens_RC.tolist() == [[S, S, S], [H, S, N], [I, S, O], [E, S, S]]

    def test_into_a_parked_session_wakes_it_until_it_rests(self) -> None:
        engine = scripted_engine(OWN, {"Output": "....ok$" + "." * 20})
        session = engine.open()
        session.give("hi")
        list(engine.stream(session))
        assert len(session.rows) == 9  # Think has not spoken: eight silent rows
        session.put("Think", "no")
        list(engine.stream(session))
        assert session.text("Think") == "no"
        assert (len(session.rows), session.stopped_by) == (19, StopReason.END)

    def test_into_a_fresh_session_is_read_and_then_it_parks(self) -> None:
        engine = scripted_engine(OWN, {})
        session = engine.open()
        session.put("Think", "no")
        list(engine.stream(session))
        assert session.grid.column(2).tolist() == [S, N, O]
        assert session.stopped_by is None

    def test_words_put_into_a_mouth_are_no_loop_and_no_speech(self) -> None:
        engine = scripted_engine(OWN, {"Output": "." * 70 + "ok$"})
        session = engine.open()
        session.give("hi")
        session.put("Think", "o" * 60)
        list(engine.stream(session))
        assert session.stopped_by is StopReason.END
        assert len(session.rows) == 73

    def test_into_an_ablated_channel(self) -> None:
        engine = scripted_engine(OWN, {"Think": ".abcdefgh"})
        session = engine.open(engine.settings(ablate=frozenset({"Think"})))
        session.give("hi")
        session.put("Think", "no")
        run(engine, session, 6)
        assert session.grid.column(2).tolist() == [S, N, O, S, S, S]
        assert session.grid.given_RC[:, 2].all()

    @pytest.mark.parametrize("channel", ["User", "Output"])
    def test_only_into_thoughts(self, channel: str) -> None:
        session = scripted_engine(OWN, {}).open()
        with pytest.raises(SessionError, match=f"put: expected a thought channel, got '{channel}'"):
            session.put(channel, "no")
        assert not session.is_active

    @pytest.mark.parametrize(
        ("channel", "text", "kind"),
        [
            ("Thinks", "no", LayoutError),
            ("Think", "", InputError),
            ("Think", "a\x07", InputError),
            ("Think", "o" * 40, ContextFullError),
        ],
    )
    def test_bad_words(self, channel: str, text: str, kind: type[MotetError]) -> None:
        session = scripted_engine(OWN, {}).open(context_rows=32)
        with pytest.raises(kind):
            session.put(channel, text)
        assert not session.is_active


def test_ablated_channel_is_silent_and_given() -> None:
    says = {"Output": "....ok$", "Think": "....so$"}
    engine = scripted_engine(OWN, says)
    session = engine.open(engine.settings(ablate=frozenset({"Think"}), quiet_rows=3))
    session.give("hi")
    list(engine.stream(session))
    assert session.text("Think") == ""
    assert session.grid.given_RC[:, 2].all()
    assert (len(session.rows), session.stopped_by) == (7, StopReason.END)


def test_a_mute_model_of_ablated_output() -> None:
    engine = scripted_engine(OWN, {"Output": "....ok$"})
    session = engine.open(engine.settings(ablate=frozenset({"Output"}), mute_rows=5))
    session.give("hi")
    list(engine.stream(session))
    assert session.stopped_by is StopReason.MUTE


def test_rows_say_what_happened() -> None:
    engine = scripted_engine(OWN, {"Output": "...ok$"})
    session = engine.open()
    session.give("hi")
    rows = list(engine.stream(session))
    assert rows == session.rows
    assert [row.index for row in rows] == list(range(len(rows)))
    assert ["".join(row.deltas[c] for row in rows) for c in range(3)] == ["hi", "ok", ""]
    assert rows[3].token_ids == (E, O, S)
    assert rows[3].silent == (False, False, True)
    assert rows[3].given == (True, False, False)
    np.testing.assert_array_equal(session.grid.tokens_RC, session.state.tokens_RC)


def test_parked_sessions_are_not_read() -> None:
    engine = scripted_engine(OWN, {"Output": "....ok$"})
    runtime: Any = engine.runtime
    fresh, spoken, busy = (engine.open(engine.settings(quiet_rows=3)) for _ in range(3))
    assert not engine.step([fresh])
    spoken.give("hi")
    list(engine.stream(spoken))
    runtime.blocks_read.clear()
    busy.give("hi")
    for _ in range(4):
        ((session, rows, _),) = engine.step([fresh, spoken, busy])
        assert session is busy
        assert len(rows) == 1
    assert [len(blocks) for blocks in runtime.blocks_read] == [1] * 4
    assert not fresh.rows
    assert len(spoken.rows) == 7
    runtime.blocks_read.clear()
    assert not engine.step([fresh, spoken])
    assert not engine.step([])
    assert list(engine.stream(spoken)) == []
    assert runtime.blocks_read == []


def test_one_forward_reads_prefills_and_decodes_together() -> None:
    engine = scripted_engine(OWN, {"Output": "....okokok"})
    runtime: Any = engine.runtime
    a, b, c = engine.open(), engine.open(), engine.open()
    a.give("hi")
    run(engine, a, 5)
    b.give("hi", feed=Feed.PREFILL)
    c.give("hi")
    runtime.blocks_read.clear()
    engine.step([a, b, c])
    (blocks,) = runtime.blocks_read
    assert [len(block) for block in blocks] == [1, 4, 1]


def test_a_session_twice_in_one_step_is_refused() -> None:
    engine = scripted_engine(OWN, {})
    session = engine.open()
    session.give("hi")
    with pytest.raises(GridError, match="distinct states"):
        engine.step([session, session])
    assert not session.rows
    run(engine, session, 4)
    assert user(session) == [S, H, I, E]


def test_rooms_that_cannot_be() -> None:
    engine = scripted_engine(OWN, {})
    for context_rows in (0, -1, 5000):
        with pytest.raises(StateError, match="max_rows: expected 1 to 4096"):
            engine.open(context_rows=context_rows)


class FailingRuntime(ScriptedRuntime):
    """Fails in chosen forwards, half-way: rows have been read, logits never come."""

    fails = False

    def forward(self, states: Any, tokens: Any, **kw: Any) -> Any:
        logits = super().forward(states, tokens, **kw)
        if self.fails:
            states[0].rows.extend([(0, 0, 0)])
            raise MemoryError
        return logits


def test_a_failed_forward_loses_nothing() -> None:
    runtime = FailingRuntime(OWN, dream(OWN))
    engine = Engine("failing", runtime, dreaming_engine().codec, Sampling(temperature=1.0))

    def converse(fails_at: set[int]) -> list[Any]:
        sessions = [engine.open(engine.settings(seed=seed, max_rows=30)) for seed in (1, 2)]
        sessions[0].give("hello")
        sessions[1].give("no", feed=Feed.PREFILL)
        for step in range(40):
            runtime.fails = step in fails_at
            if runtime.fails and any(s.is_active for s in sessions):
                rows = [list(s.rows) for s in sessions]
                with pytest.raises(MemoryError):
                    engine.step(sessions)
                assert [s.rows for s in sessions] == rows
                assert [s.state.num_rows for s in sessions] == [len(s.rows) for s in sessions]
                runtime.fails = False
            engine.step(sessions)
        return [s.grid.tokens_RC.tolist() for s in sessions]

    assert converse({0, 1, 5, 6, 17}) == converse(set())


class TestOneChannel:
    """C = 1 without silence: an ordinary chat model."""

    layout = single_channel(END, opening=(H,))

    def test_prompt_and_reply_share_the_stream(self) -> None:
        engine = scripted_engine(self.layout, {"Output": "___ok$"}, otherwise="z")
        session = engine.open()
        session.give("no")
        list(engine.stream(session))
        assert session.grid.column(0).tolist() == [H, N, O, O, id_of("k"), E]
        assert session.grid.given_RC[:, 0].tolist() == [True, True, True, False, False, False]
        assert session.stopped_by is StopReason.END
        assert session.turn.ttft_rows == 3
        session.give("in")
        list(engine.stream(session))
        assert session.text("Output").startswith("hnook\ninz")

    def test_without_an_end_token_limits_end_it(self) -> None:
        layout = single_channel(None)
        engine = scripted_engine(layout, {}, otherwise="0123456789abcdefghijklmnopqrstuvwxyzABCD")
        session = engine.open(engine.settings(max_rows=100))
        session.give("no")
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (100, StopReason.MAX_ROWS)
        looping = scripted_engine(layout, {}, otherwise="ab")
        session = looping.open()
        session.give("no")
        list(looping.stream(session))
        assert (len(session.rows), session.stopped_by) == (50, StopReason.REPETITION)

    def test_live_feeding_is_refused(self) -> None:
        engine = scripted_engine(self.layout, {}, otherwise="z")
        session = engine.open()
        with pytest.raises(SettingError, match="feed: expected prefill"):
            session.give("no", feed=Feed.LIVE)
        assert not session.is_active

    def test_no_thoughts_to_put_into(self) -> None:
        engine = scripted_engine(self.layout, {}, otherwise="z")
        with pytest.raises(SessionError, match="put: expected a thought channel"):
            engine.open().put("Output", "no")


def test_ask() -> None:
    engine = scripted_engine(layout_of("Think"), {"Output": "....ok$", "Think": "..so$"})
    reply = engine.ask("hi", engine.settings(seed=5))
    assert (reply.model, reply.seed, reply.rows) == ("scripted", 5, 7)
    assert reply.channels == {"User": "hi", "Output": "ok", "Think": "so"}
    assert reply.grid[1:5] == [["h", "", ""], ["i", "", "s"], ["", "", "o"], ["", "o", ""]]
    assert (reply.ttft_rows, reply.stopped_by) == (4, "end")
    assert reply.rows_per_s == pytest.approx(reply.rows / reply.seconds)
    assert reply.to_json() == {
        "model": "scripted",
        "seed": 5,
        "rows": 7,
        "channels": reply.channels,
        "grid": reply.grid,
        "ttft_rows": 4,
        "seconds": round(reply.seconds, 4),
        "rows_per_s": round(reply.rows_per_s, 2),
        "stopped_by": "end",
    }
    mute = scripted_engine(OWN, {}).ask("hi")
    assert (mute.ttft_rows, mute.stopped_by, mute.channels["Output"]) == (None, "mute", "")


def test_padding_of_the_vocabulary_is_never_drawn() -> None:
    """Models have more logits than their tokenizer has tokens; those mean nothing."""

    def predict(tokens_RC: Any) -> Any:
        logits = np.zeros((3, VOCAB_SIZE + 4), np.float32)
        logits[:, VOCAB_SIZE:], logits[:, O] = 9.0, 1.0
        return logits

    runtime = ScriptedRuntime(OWN, predict, vocab_size=VOCAB_SIZE + 4)
    engine = Engine("padded", runtime, dreaming_engine().codec, GREEDY)
    reply = engine.ask("hi", engine.settings(max_rows=10))
    assert reply.channels["Output"] == reply.channels["Think"] == "o" * 10


def test_greedy_needs_no_seed() -> None:
    engine = engine_of(OWN, dream(OWN), sampling=GREEDY)
    first, second = (engine.ask("hi", engine.settings(seed=seed, max_rows=25)) for seed in (1, 2))
    assert first.grid == second.grid
