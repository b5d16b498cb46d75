"""Sessions on disk: at every phase, and what happens to files that are broken."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.engine import Engine, Feed, Sampling, Session
from motet.errors import MotetError, StateError
from tests.engine.scripted import (
    PUBLISHED,
    ScriptedState,
    dream,
    dreaming_engine,
    engine_of,
    layout_of,
)

ENGINE = dreaming_engine()
Talk = Session[ScriptedState]


def talk_settings() -> Any:
    return ENGINE.settings(
        channel_sampling={"Think": Sampling(temperature=0.8, repetition_penalty=1.2)},
        seed=9,
        max_rows=40,
        quiet_rows=4,
    )


def fresh() -> Talk:
    return ENGINE.open(talk_settings(), context_rows=200)


def prefill_waits() -> Talk:
    session = fresh()
    session.give("hello", feed=Feed.PREFILL)
    session.give("in")
    return session


def queue_waits() -> Talk:
    session = fresh()
    session.give("hello there")
    session.give("in")
    session.put("Think", "no, no")
    for _ in range(5):
        ENGINE.step([session])
    return session


def speaks() -> Talk:
    session = fresh()
    session.give("hello")
    for _ in range(14):
        ENGINE.step([session])
    assert session.is_active
    assert any(session.turn.speaking[1:])
    return session


def half_character() -> Talk:
    session = fresh()
    session.give("🙂🙂")
    for _ in range(4):
        ENGINE.step([session])
    assert session.text("User").endswith("\ufffd")
    return session


def prefill_waits_in_the_middle() -> Talk:
    session = queue_waits()
    session.give("oh", feed=Feed.PREFILL)
    return session


def parked() -> Talk:
    session = speaks()
    list(ENGINE.stream(session))
    assert session.stopped_by is not None
    return session


def continued() -> Talk:
    session = parked()
    session.continue_turn()
    return session


PHASES: list[Callable[[], Talk]] = [
    fresh, prefill_waits, queue_waits, speaks, half_character, prefill_waits_in_the_middle, parked,
    continued,
]  # fmt: skip


def told(session: Talk) -> dict[str, Any]:
    """All that anyone can see of a session."""
    return {
        "rows": list(session.rows),
        "stopped_by": session.stopped_by,
        "is_active": session.is_active,
        "turn_starts": list(session.turn_starts),
        "ttft_rows": session.turn.ttft_rows,
        "settings": session.settings,
    }


def go_on(session: Talk, engine: Engine[ScriptedState] = ENGINE) -> dict[str, Any]:
    """What a session becomes when it is left alone, then given another message."""
    list(engine.stream(session))
    session.give("and so on")
    list(engine.stream(session))
    return told(session)


@pytest.mark.parametrize("phase", PHASES)
def test_a_resumed_session_goes_on_as_if_nothing_had_happened(
    phase: Callable[[], Talk], tmp_path: Path
) -> None:
    path = tmp_path / "talk.motet"
    session = phase()
    ENGINE.save(session, path)
    resumed = dreaming_engine().resume(path)
    assert told(resumed) == told(session)
    assert resumed.state.max_rows == session.state.max_rows
    again = dreaming_engine().resume(path)
    ENGINE.save(resumed, path)  # saving what was resumed loses nothing either
    twice = ENGINE.resume(path)
    expected = go_on(phase())
    assert len(expected["rows"]) > 20
    assert go_on(session) == go_on(resumed) == go_on(again) == go_on(twice) == expected
    assert [file.name for file in tmp_path.iterdir()] == ["talk.motet"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_fork_goes_on_as_its_parent_and_leaves_it_alone(phase: Callable[[], Talk]) -> None:
    session = phase()
    before = told(session)
    fork = ENGINE.fork(session)
    assert told(fork) == before
    after = go_on(fork)
    assert told(session) == before
    assert session.state.num_rows == len(session.rows)
    assert go_on(session) == after == go_on(phase())


def test_a_fork_under_other_settings() -> None:
    session = speaks()
    fork = ENGINE.fork(session, ENGINE.settings(seed=10, max_rows=40, quiet_rows=4))
    num_rows = len(session.rows)
    assert fork.rows == session.rows
    list(ENGINE.stream(fork))
    list(ENGINE.stream(session))
    assert fork.rows[:num_rows] == session.rows[:num_rows]
    assert fork.rows != session.rows
    assert fork.settings.seed == 10


class TestFiles:
    """Each broken file is a StateError of one line, whatever broke it."""

    def written(self, path: Path) -> dict[str, bytes]:
        ENGINE.save(prefill_waits_in_the_middle(), path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def rewritten(self, path: Path, **parts: bytes | None) -> Path:
        """A saved session with some parts exchanged, or left out if None."""
        whole = self.written(path)
        named = {"header": "session.json", "grid": "grid.npz", "logits": "logits.npz"}
        whole.update({named.get(k, k): v for k, v in parts.items() if v is not None})
        for name in [named.get(k, k) for k, v in parts.items() if v is None]:
            del whole[name]
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in whole.items():
                archive.writestr(name, data)
        return path

    def refused(self, path: Path, engine: Engine[ScriptedState] = ENGINE) -> str:
        with pytest.raises(StateError) as error:
            engine.resume(path)
        assert "\n" not in str(error.value)
        assert path.name in str(error.value)
        return str(error.value)

    def test_rewriting_alone_breaks_nothing(self, tmp_path: Path) -> None:
        assert ENGINE.resume(self.rewritten(tmp_path / "talk")).rows

    def test_missing(self, tmp_path: Path) -> None:
        assert "no such file" in self.refused(tmp_path / "none.motet")

    def test_directory(self, tmp_path: Path) -> None:
        self.refused(tmp_path)

    @pytest.mark.parametrize("data", [b"", b"PK", b"\x00" * 100, b'{"version": 1}', b"\xff" * 9])
    def test_alien(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "alien"
        path.write_bytes(data)
        self.refused(path)

    def test_alien_zip(self, tmp_path: Path) -> None:
        path = tmp_path / "alien.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
        self.refused(path)

    def test_truncated_anywhere(self, tmp_path: Path) -> None:
        path = tmp_path / "talk"
        ENGINE.save(prefill_waits_in_the_middle(), path)
        whole = path.read_bytes()
        for length in range(0, len(whole), len(whole) // 60):
            path.write_bytes(whole[:length])
            self.refused(path)

    @settings(
        max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.data())
    def test_a_broken_byte_never_escapes(self, tmp_path: Path, data: st.DataObject) -> None:
        """Refused, or (in a date, say) the same session as before."""
        path = tmp_path / "talk"
        if not (whole := getattr(self, "_whole", b"")):
            ENGINE.save(prefill_waits_in_the_middle(), path)
            whole = self._whole = path.read_bytes()
        position = data.draw(st.integers(0, len(whole) - 1))
        value = data.draw(st.integers(0, 255))
        broken = whole[:position] + bytes([value]) + whole[position + 1 :]
        path.write_bytes(broken)
        try:
            resumed = ENGINE.resume(path)
        except StateError:
            self.refused(path)
        else:
            assert told(resumed) == told(prefill_waits_in_the_middle())

    @pytest.mark.parametrize("part", ["header", "grid", "logits", "state"])
    @pytest.mark.parametrize("data", [None, b"", b"garbage", b"[]"])
    def test_a_part_is_missing_or_garbage(
        self, tmp_path: Path, part: str, data: bytes | None
    ) -> None:
        self.refused(self.rewritten(tmp_path / "talk", **{part: data}))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("version", 1), ("version", None),
            ("settings", None), ("settings", {}), ("settings", {"temperature": 1}),
            ("marks", None), ("marks", {"turn_starts": ["one"]}), ("marks", {"turn_starts": 3}),
            ("marks", {"continued_at": [None]}), ("marks", {"rested_at": []}),
            ("stopped_by", "boredom"), ("stopped_by", 7),
            ("queues", None), ("queues", []), ("queues", [[], []]), ("queues", [[], [], [], []]),
            ("queues", [[3], [], []]), ("queues", [[["a", True]], [], []]),
            ("queues", [[[999_999, True]], [], []]), ("queues", [[[-1, True]], [], []]),
            ("queues", [[[10**30, True]], [], []]),
            ("prefills", None), ("prefills", [[[[1, 2]], [0], [0]]]),
            ("prefills", [[[["x"]], [0], [0]]]), ("prefills", [[[[1, 2, 999_999]], [0], [0]]]),
            ("prefills", [[[[0, 0, 0]], None, []]]), ("prefills", [[[], [0], []]]),
            ("prefills", [[[[0, 0, 0]], [5], []]]), ("prefills", [[[[0, 0, 0]], [], [5]]]),
            ("prefills", [[[[10**30, 0, 0]], [0], [0]]]),
        ],
    )  # fmt: skip
    def test_a_broken_header(self, tmp_path: Path, key: str, value: Any) -> None:
        path = tmp_path / "talk"
        header = json.loads(self.written(path)["session.json"])
        assert key in header
        self.refused(self.rewritten(path, header=json.dumps({**header, key: value}).encode()))
        del header[key]
        self.refused(self.rewritten(path, header=json.dumps(header).encode()))

    @pytest.mark.parametrize("shape", [(1, 260), (2, 3), (3, 260), (2, 260, 1), ()])
    def test_logits_of_another_shape(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, np.zeros(shape, np.float32))
        message = self.refused(self.rewritten(tmp_path / "talk", logits=buffer.getvalue()))
        assert "logits: expected (2, 260)" in message

    def test_no_logits(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        np.savez(buffer)
        self.refused(self.rewritten(tmp_path / "talk", logits=buffer.getvalue()))

    def test_the_rows_of_another_session(self, tmp_path: Path) -> None:
        ENGINE.save(speaks(), tmp_path / "other")
        with zipfile.ZipFile(tmp_path / "other") as archive:
            grid = archive.read("grid.npz")
        message = self.refused(self.rewritten(tmp_path / "talk", grid=grid))
        assert "expected the rows of its state" in message

    @pytest.mark.parametrize("layout", [PUBLISHED, layout_of("Doubt"), layout_of("Think", "Plan")])
    def test_another_model(self, tmp_path: Path, layout: Any) -> None:
        path = tmp_path / "talk"
        ENGINE.save(speaks(), path)
        if layout == layout_of("Doubt"):
            # Of the same width: only a setting for a channel that is not there tells.
            assert "unknown channel" in self.refused(path, engine_of(layout, dream(layout)))
        else:
            self.refused(path, engine_of(layout, dream(layout)))

    def test_a_model_with_less_context(self, tmp_path: Path) -> None:
        path = tmp_path / "talk"
        ENGINE.save(speaks(), path)
        engine: Any = dreaming_engine()
        engine.runtime.vocab_size = 100
        assert "logits" in self.refused(path, engine)


def test_a_failed_save_keeps_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk"
    ENGINE.save(speaks(), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    for owner, name in ((ENGINE.runtime, "save_state"), (Path, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fail)
            with pytest.raises(OSError, match="disk full"):
                ENGINE.save(parked(), path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["talk"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere" / "talk", tmp_path):
        with pytest.raises(MotetError, match="session: expected a file to write") as error:
            ENGINE.save(speaks(), path)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


class TestRewind:
    def test_to_every_row(self) -> None:
        """From wherever the whole message has been read, the session goes on to the same end."""
        whole = speaks()
        list(ENGINE.stream(whole))
        for num_rows in range(7, len(whole.rows) + 1):
            session = ENGINE.fork(whole)
            ENGINE.rewind(session, num_rows)
            assert session.rows == whole.rows[:num_rows]
            assert session.state.num_rows == num_rows
            assert session.is_active == (num_rows < len(whole.rows))
            list(ENGINE.stream(session))
            assert told(session) == told(whole)

    def test_in_two_steps(self) -> None:
        whole = speaks()
        list(ENGINE.stream(whole))
        session = ENGINE.fork(whole)
        for num_rows in (len(whole.rows) - 1, 15, 14, 9):
            ENGINE.rewind(session, num_rows)
        list(ENGINE.stream(session))
        assert told(session) == told(whole)

    def test_into_an_earlier_turn(self) -> None:
        whole = speaks()
        list(ENGINE.stream(whole))
        first = told(whole)
        num_rows = len(whole.rows)
        whole.give("and")
        list(ENGINE.stream(whole))
        assert len(whole.turn_starts) == 2
        ENGINE.rewind(whole, num_rows)
        assert told(whole) == first
        ENGINE.rewind(whole, 10)
        list(ENGINE.stream(whole))
        assert told(whole) == first

    def test_drops_what_was_queued(self) -> None:
        session = queue_waits()
        session.give("oh", feed=Feed.PREFILL)
        ENGINE.rewind(session, 3)
        assert not any(session.waiting.queues)
        assert not session.waiting.prefills
        assert session.is_active  # "h" was read: the turn goes on without the rest
        ENGINE.step([session])
        assert session.rows[3].silent[0]
        session.give("x")
        list(ENGINE.stream(session))
        assert session.text("User").endswith("x")

    def test_before_the_first_message_it_parks(self) -> None:
        session = speaks()
        ENGINE.rewind(session, 1)
        assert not session.is_active
        assert session.stopped_by is None
        assert session.turn_starts == []
        session.give("hello")
        list(ENGINE.stream(session))
        whole = speaks()
        list(ENGINE.stream(whole))
        assert told(session) == told(whole)

    @pytest.mark.parametrize("num_rows", [-1, 0, 16, 1000])
    def test_rows_that_are_not_there(self, num_rows: int) -> None:
        session = speaks()
        before = told(session)
        assert len(session.rows) == 14
        with pytest.raises(MotetError, match=f"rewind: expected row 1 to 14, got {num_rows}"):
            ENGINE.rewind(session, num_rows)
        assert told(session) == before

    def test_texts_and_repetition_follow(self) -> None:
        """Half a character and the words already said are those of the rows that are left."""
        session = half_character()
        rows = list(session.rows)
        ENGINE.rewind(session, 3)
        assert session.rows == rows[:3]
        assert session.text("User") == "\ufffd"
