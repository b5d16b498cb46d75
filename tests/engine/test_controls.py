"""What a person does to a session while it talks: stop, hold, other settings; and what was read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from motet.engine import Engine, Feed, Sampling, Session, StopReason
from motet.engine.message import char_ends
from motet.errors import InputError, SessionError, SettingError
from motet.streams.layout import single_channel
from tests.engine.scripted import (
    DASH_ID,
    END,
    OWN,
    PUBLISHED,
    SILENCE,
    ScriptedState,
    dreaming_engine,
    id_of,
    scripted_engine,
)

S, E = SILENCE.id, END.id
Talk = Session[ScriptedState]
Talker = Engine[ScriptedState]


def steps(engine: Talker, session: Talk, count: int) -> None:
    for _ in range(count):
        ((_, rows, error),) = engine.step([session])
        assert rows
        assert error is None


def talking(says: dict[str, str], **changes: Any) -> tuple[Talker, Talk]:
    engine = scripted_engine(OWN, says)
    session = engine.open(engine.settings(**changes))
    session.give("hi")
    return engine, session


class TestStop:
    def test_who_speaks_ends_the_message_and_the_session_parks(self) -> None:
        engine, session = talking({"Output": "....abcdef", "Think": "...xy$"})
        steps(engine, session, 7)
        session.give("more")
        session.stop()
        assert session.queued_ids == []
        ((_, (row,), _),) = engine.step([session])
        assert row.token_ids == (S, E, S)
        assert row.given == (True, True, True)
        assert session.stopped_by is StopReason.INTERRUPTED
        assert not session.is_active
        assert session.text("Output") == "abc"

    def test_half_a_message_is_closed_too(self) -> None:
        engine, session = talking({})
        steps(engine, session, 2)
        session.stop()
        ((_, (row,), _),) = engine.step([session])
        assert row.token_ids == (E, S, S)
        session.give("no")
        list(engine.stream(session))
        assert session.text("User") == "h\nno"
        assert session.turn_starts == [1, 3]

    def test_silence_closes_where_there_is_no_end_token(self) -> None:
        engine = scripted_engine(PUBLISHED, {"Output": "...abcdef"})
        session = engine.open()
        session.give("hi")
        steps(engine, session, 6)
        session.stop()
        ((_, (row,), _),) = engine.step([session])
        assert row.token_ids == (DASH_ID,) * 4
        assert session.stopped_by is StopReason.INTERRUPTED

    def test_one_channel(self) -> None:
        engine = scripted_engine(single_channel(END), {}, otherwise="z")
        session = engine.open()
        session.give("no")
        steps(engine, session, 4)
        session.stop()
        ((_, (row,), _),) = engine.step([session])
        assert (row.token_ids, session.stopped_by) == ((E,), StopReason.INTERRUPTED)
        silent = scripted_engine(single_channel(None), {}, otherwise="z")
        session = silent.open()
        session.give("no")
        steps(silent, session, 4)
        session.stop()
        assert (len(session.rows), session.stopped_by) == (5, StopReason.INTERRUPTED)
        assert not session.is_active

    def test_nothing_is_closed_where_nobody_speaks(self) -> None:
        engine, session = talking({})
        steps(engine, session, 6)
        session.stop()
        assert (session.stopped_by, session.is_active) == (StopReason.INTERRUPTED, False)

    def test_a_stop_that_comes_too_early_or_late_changes_nothing(self) -> None:
        engine = scripted_engine(OWN, {"Output": "...ok$"})
        session = engine.open(engine.settings(quiet_rows=3))
        session.stop()
        session.give("hi")
        session.stop()
        assert (session.stopped_by, session.is_active, session.rows) == (None, False, [])
        session.give("hi")
        list(engine.stream(session))
        session.give("no")
        session.stop()
        assert (session.stopped_by, session.is_active) == (StopReason.END, False)
        session.give("ho")
        list(engine.stream(session))
        assert session.text("User") == "hi\nho"

    def test_a_message_after_it_waits_until_the_row_is_closed(self) -> None:
        engine, session = talking({"Output": "....abcdef"})
        steps(engine, session, 6)
        session.stop()
        session.give("no")
        steps(engine, session, 1)
        assert (session.stopped_by, session.is_active) == (StopReason.INTERRUPTED, True)
        steps(engine, session, 1)
        assert session.stopped_by is None
        assert session.turn_starts == [1, 7]
        assert session.grid.tokens_RC[6].tolist() == [S, E, S]

    def test_it_can_go_on_after_all(self) -> None:
        engine, session = talking({"Output": "....abcdef", "Think": "......xyz"})
        steps(engine, session, 6)
        session.stop()
        steps(engine, session, 1)
        twin = engine.fork(session)
        engine.rewind(twin, 7)
        assert (twin.stopped_by, twin.is_active) == (StopReason.INTERRUPTED, False)
        for each in (session, twin):
            each.continue_turn()
            steps(engine, each, 2)
            assert each.text("Output") == "ab\nde"
            engine.rewind(each, 7)
            assert each.stopped_by is None
        engine.rewind(twin, 6)
        steps(engine, twin, 2)
        assert twin.text("Output") == "abcd"


class TestHold:
    def test_the_visible_channel_is_silent_and_given(self) -> None:
        engine, session = talking({"Output": "....abcdefgh", "Think": "....stuvwxyz"})
        session.hold()
        assert session.is_held
        steps(engine, session, 8)
        session.release()
        assert not session.is_held
        steps(engine, session, 2)
        assert session.text("Output") == "ef"
        assert session.text("Think") == "stuvwx"
        assert session.grid.given_RC[4:, 1].tolist() == [True] * 4 + [False] * 2

    @pytest.mark.parametrize("says", ["", "....ab"])
    def test_it_is_neither_mute_nor_at_rest(self, says: str) -> None:
        engine, session = talking({"Output": says}, mute_rows=9, quiet_rows=5)
        steps(engine, session, 6)
        session.hold()
        steps(engine, session, 60)
        assert session.stopped_by is None
        session.release()
        steps(engine, session, 4)
        assert session.stopped_by is None
        list(engine.stream(session))
        assert session.stopped_by is (StopReason.END if says else StopReason.MUTE)
        assert len(session.rows) == 66 + (5 if says else 9)

    def test_a_row_that_was_held_stays_so_in_a_fork_and_a_rewind(self) -> None:
        engine, session = talking({}, mute_rows=9)
        steps(engine, session, 8)
        session.hold()
        steps(engine, session, 20)
        session.release()
        session.hold()
        twin = engine.fork(session)
        engine.rewind(twin, 15)
        assert twin.is_held
        twin.release()
        list(engine.stream(twin))
        assert (len(twin.rows), twin.stopped_by) == (24, StopReason.MUTE)
        engine.rewind(session, 8)
        session.release()
        list(engine.stream(session))
        assert (len(session.rows), session.stopped_by) == (13, StopReason.MUTE)

    def test_a_model_without_silence_cannot_be_held(self) -> None:
        session = scripted_engine(single_channel(END), {}, otherwise="z").open()
        with pytest.raises(SessionError, match="hold: expected a model with a silence token"):
            session.hold()
        assert not session.is_held


class TestUpdate:
    def test_from_the_next_row_on(self) -> None:
        engine, session = talking({"Output": "....abcdefgh", "Think": "....xyz"})
        steps(engine, session, 6)
        session.update(dataclasses.replace(session.settings, ablate=frozenset({"Output"})))
        steps(engine, session, 2)
        session.update(dataclasses.replace(session.settings, ablate=frozenset(), max_rows=9))
        list(engine.stream(session))
        assert session.text("Output") == "abef"
        assert (len(session.rows), session.stopped_by) == (10, StopReason.MAX_ROWS)

    def test_the_same_as_if_they_had_always_been_so(self) -> None:
        """What the past left behind does not depend on settings: dice, penalties, the turn."""
        engine = dreaming_engine()
        changed = engine.settings(seed=9, max_rows=30, sampling=Sampling(1.3, top_p=1.0))
        session = engine.open(engine.settings(seed=1, max_rows=30))
        session.give("hello")
        steps(engine, session, 12)
        twin = engine.fork(session, changed)
        session.update(changed)
        for each in (session, twin):
            list(engine.stream(each))
        assert session.rows == twin.rows
        before = session.rows[8:]
        engine.rewind(session, 8)
        assert session.settings == changed
        list(engine.stream(session))
        assert session.rows[8:] != before

    def test_another_seed_gives_other_rows_the_same_seed_the_same(self) -> None:
        def rows(seed: int | None) -> Any:
            engine = dreaming_engine()
            session = engine.open(engine.settings(seed=3, max_rows=20))
            session.give("hello")
            steps(engine, session, 9)
            if seed is not None:
                session.update(dataclasses.replace(session.settings, seed=seed))
            list(engine.stream(session))
            return session.rows

        assert rows(None) == rows(3)
        assert rows(None) != rows(4)
        assert rows(None)[:9] == rows(4)[:9]

    def test_impossible_settings_change_nothing(self) -> None:
        engine, session = talking({})
        before = session.settings
        with pytest.raises(SettingError):
            session.update(engine.settings(channel_sampling={"User": Sampling()}))
        assert session.settings is before


class TestWhatWasRead:
    def test_tokens_of_messages_and_the_rows_that_read_them(self) -> None:
        engine, session = talking({"Output": "..."})
        first = session.waiting.prompt_ids
        second = session.give("oh")
        assert (second.first, session.queued_ids) == (3, [*first, *second.ids])
        steps(engine, session, 5)
        assert session.num_read == 4
        assert (second.num_read(session.num_read), second.num_read(2)) == (1, 0)
        assert session.marks.read_at == [1, 2, 3, 4]
        third = session.interrupt("no")
        assert session.queued_ids == [E, *third.ids]
        assert third.first == 5
        steps(engine, session, 4)
        assert third.num_read(session.num_read) == 3
        engine.rewind(session, 3)
        assert session.num_read == 2
        assert session.queued_ids == []

    def test_a_prefill_is_read_in_the_rows_of_its_tokens(self) -> None:
        engine = scripted_engine(OWN, {})
        engine.prefill_rows = 2
        session = engine.open()
        message = session.give("hello", feed=Feed.PREFILL)
        read = []
        while session.waiting:
            engine.step([session])
            read.append(message.num_read(session.num_read))
        assert read == [1, 3, 5]  # "he" is one token; the first chunk has the opening row
        assert session.marks.read_at == [1, 2, 3, 4, 5]

    def test_characters_that_are_whole(self) -> None:
        codec = dreaming_engine().codec
        message = codec.encode("he🙂!")
        assert char_ends([*message, E], codec) == [2, 2, 2, 2, 3, 4, 4]

    def test_tokens_as_they_are(self) -> None:
        engine = scripted_engine(single_channel(END, opening=(id_of("i"),)), {}, otherwise="z$")
        session = engine.open()
        session.give_ids([id_of("h"), E, id_of("o")])
        list(engine.stream(session))
        given = [id_of("i"), id_of("h"), E, id_of("o")]
        assert session.grid.column(0).tolist() == [*given, id_of("z"), E]
        for ids in ([], [-1], [99_999]):
            with pytest.raises(InputError, match="tokens: expected"):
                session.give_ids(ids)
        with pytest.raises(InputError, match="none of silence"):
            scripted_engine(OWN, {}).open().give_ids([S])

    def test_clear_drops_messages_alone(self) -> None:
        engine, session = talking({"Output": "....abc"})
        session.put("Think", "so")
        session.clear()
        assert session.queued_ids == []
        engine.finish([session])
        assert session.text("Think") == "so"
        assert not session.turn_starts
