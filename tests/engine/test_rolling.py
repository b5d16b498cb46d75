"""A session that rolls is one that began with the rows that it still has, and nobody notices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.engine import Engine, Feed, Sampling, Session
from motet.engine import context as context_module
from motet.engine.context import Context
from motet.engine.marks import Marks
from motet.engine.reading import Reading
from motet.engine.rolling import Rolling
from motet.errors import ContextFullError, GridError, SettingError
from motet.streams.grid import TOKEN_DTYPE
from tests.engine.scripted import (
    OWN,
    ScriptedRuntime,
    ScriptedState,
    dream,
    dreaming_engine,
    engine_of,
)

ROLLING = Rolling(0.7, 0.4, 4)
Talk = Session[ScriptedState]
Talker = Engine[ScriptedState]


def engine_without_bounds() -> Talker:
    return engine_of(OWN, dream(OWN), sampling=Sampling(temperature=1.0, presence_penalty=0.5))


def long_talk(engine: Talker, seed: int = 1, **options: Any) -> Talk:
    settings = engine.settings(seed=seed, max_rows=10_000, ignore_end=True)
    session = engine.open(settings, **{"context_rows": 60, "rolling": ROLLING, **options})
    session.give("hello")
    return session


def check_roll(engine: Talker) -> int:
    """Each row is predicted by the rows in context alone; no step is without one; how many rolls.

    What was said, and who is silent, is what all rows say.
    """
    beginning = np.full((3, 3), engine.codec.encode("x")[0], TOKEN_DTYPE)
    session = long_talk(engine, beginning=beginning, pinned_rows=2)
    runtime: Any = engine.runtime
    num_rolls, first_row = 0, 0
    for _ in range(150):
        ((_, rows, error),) = engine.step([session])
        assert error is None
        assert len(rows) == 1 or rows[0].index == 0, "law of rolling: a gap"
        if session.first_row != first_row:
            num_rolls, first_row = num_rolls + 1, session.first_row
        left_out = max(0, first_row - 3)
        context = [0, 1, 2, *range(3 + left_out, len(session.rows))]
        held_RC = session.grid.tokens_RC[context]
        assert np.array_equal(session.state.tokens_RC, held_RC), "law of rolling: rows in context"
        expected = runtime.predict(held_RC)[[1, 2]]
        assert np.array_equal(session.logits_XV, expected), "law of rolling: predictions"
    assert [row.index for row in session.rows] == list(range(len(session.rows)))
    assert session.text("User") == "xxxhello"
    assert len(session.transcript.drawn[1]) > 30
    return num_rolls


def test_a_session_rolls_without_a_gap() -> None:
    assert check_roll(engine_without_bounds()) == 6


def first_row_is_one_off(patch: pytest.MonkeyPatch) -> None:
    def begin(*args: Any) -> Any:
        roll = original(*args)
        roll.first_row += 1
        return roll

    original = context_module.begin_roll
    patch.setattr(context_module, "begin_roll", begin)
    original_end = Context.end_roll

    def end(self: Any) -> None:
        self.roll.first_row -= 1
        original_end(self)

    patch.setattr(Context, "end_roll", end)


def the_second_state_is_not_read_to_the_end(patch: pytest.MonkeyPatch) -> None:
    original = Context.tokens_RC

    def tokens(self: Any, rows: Any, first_row: int, start: int, stop: Any = None) -> Any:
        is_behind = self.roll is not None and len(rows) + 1 >= self.roll.swap_at
        return original(self, rows, first_row, start + int(is_behind), stop)

    patch.setattr(Context, "tokens_RC", tokens)


def the_old_state_stays(patch: pytest.MonkeyPatch) -> None:
    def end(self: Any) -> None:
        self.first_row, self.roll = self.roll.first_row, None

    patch.setattr(Context, "end_roll", end)


def logits_of_the_old_state(patch: pytest.MonkeyPatch) -> None:
    original = Reading.take

    def take(self: Any, logits: Any) -> Any:
        before = self.session.logits_XV
        return original(self, before if self.swaps else logits)

    patch.setattr(Reading, "take", take)


def pinned_rows_leave(patch: pytest.MonkeyPatch) -> None:
    original = Context.tokens_RC

    def tokens(self: Any, rows: Any, first_row: int, start: int, stop: Any = None) -> Any:
        return original(self, rows, max(0, first_row - self.num_pinned), start, stop)

    patch.setattr(Context, "tokens_RC", tokens)


@pytest.mark.parametrize(
    "mutant",
    [
        first_row_is_one_off, the_second_state_is_not_read_to_the_end, the_old_state_stays,
        logits_of_the_old_state, pinned_rows_leave,
    ],
)  # fmt: skip
def test_mutants_are_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, GridError), match=r"law of rolling|rows"):
        check_roll(engine_without_bounds())


def test_rolling_reads_beside_the_rows_of_all() -> None:
    """A chunk with every step, in the same forward; the ordinary rows go on one by one."""
    engine = engine_without_bounds()
    runtime: Any = engine.runtime
    rolling, other = long_talk(engine), long_talk(engine, 2, context_rows=400, rolling=None)
    while len(rolling.rows) < 42:
        engine.step([rolling, other])
    runtime.blocks_read.clear()
    for _ in range(6):
        engine.step([rolling, other])
    assert [[len(b) for b in blocks] for blocks in runtime.blocks_read] == [
        [1, 5, 1], [1, 5, 1], [1, 5, 1], [1, 5, 1], [1, 5, 1], [5, 1],
    ]  # fmt: skip
    assert rolling.first_row == 42 - 23


def test_a_message_may_fill_what_is_not_kept() -> None:
    engine = engine_without_bounds()
    session = long_talk(engine)
    while len(session.rows) < 38:
        engine.step([session])
    session.give("abcdefghijklmnopqrstuvwxyzabcd", feed=Feed.PREFILL)  # 31 of 60, with the end
    with pytest.raises(ContextFullError):
        session.give("abcdefghijklmnopqrstuvwxyz")
    while len(session.rows) < 75:
        ((_, _, error),) = engine.step([session])
        assert error is None
    assert session.text("User").endswith("abcdefghijklmnopqrstuvwxyzabcd")
    assert session.first_row > 0


def test_a_beginning_longer_than_its_room_is_refused() -> None:
    engine = engine_without_bounds()
    with pytest.raises(ContextFullError):
        long_talk(engine, beginning=np.zeros((60, 3), TOKEN_DTYPE))
    with pytest.raises(SettingError, match="pinned_rows: expected 0 to 2, got 3"):
        long_talk(engine, beginning=np.zeros((2, 3), TOKEN_DTYPE), pinned_rows=3)
    with pytest.raises(SettingError, match="stay in front"):
        long_talk(engine, beginning=np.zeros((30, 3), TOKEN_DTYPE), pinned_rows=30)
    for shares in ((0.5, 0.5), (0.9, 0.0), (1.0, 0.5)):
        with pytest.raises(SettingError, match="rolling: expected 0 < keep < roll_at < 1"):
            Rolling(*shares)


@pytest.mark.parametrize("at", [30, 43, 45, 47, 60, 95])
def test_save_and_fork_while_it_rolls(at: int, tmp_path: Path) -> None:
    engine = engine_without_bounds()
    session = long_talk(engine)
    while len(session.rows) < at:
        engine.step([session])
    engine.save(session, tmp_path / "talk")
    twin, resumed = engine.fork(session), engine.resume(tmp_path / "talk")
    assert resumed.context.rolling == ROLLING
    for each in (session, twin, resumed):
        while len(each.rows) < 130:
            engine.step([each])
    assert twin.rows == resumed.rows == session.rows
    assert twin.first_row == resumed.first_row == session.first_row > 0


@pytest.mark.parametrize("cut", [44, 46, 50, 56])
def test_a_rewind_after_the_last_roll_goes_on_as_before(cut: int) -> None:
    engine = engine_without_bounds()
    session = long_talk(engine)
    while len(session.rows) < 58:
        engine.step([session])
    rows = list(session.rows)
    if cut < 48:  # the roll ended with row 47: this is in the middle of it
        session = long_talk(engine)
        while len(session.rows) < 47:
            engine.step([session])
        assert session.context.roll is not None
    engine.rewind(session, cut)
    while len(session.rows) < 58:
        engine.step([session])
    assert session.rows == rows


@pytest.mark.parametrize("cut", [1, 5, 40, 41, 75, 110])
def test_rows_that_have_left_come_back(cut: int) -> None:
    engine = engine_without_bounds()
    engine.prefill_rows = 8
    session = long_talk(engine)
    while len(session.rows) < 150:
        engine.step([session])
    rows = session.rows[:cut]
    engine.rewind(session, cut)
    assert session.rows == rows
    assert session.is_behind
    assert session.is_active
    while session.is_behind:
        ((_, new, error),) = engine.step([session])
        assert (new, error) == ([], None)
    assert session.first_row == (0 if cut <= 42 else cut - 23)
    held = session.context.tokens_RC(session.rows, session.first_row, 0)
    assert np.array_equal(session.state.tokens_RC, held)
    runtime: Any = engine.runtime
    assert np.array_equal(session.logits_XV, runtime.predict(held)[[1, 2]])


class Failing(ScriptedRuntime):
    """Fails half-way in every third forward."""

    count = 0

    def forward(self, states: Any, tokens: Any, **kw: Any) -> Any:
        self.count += 1
        if self.count % 3 == 0:
            super().forward(states[-1:], tokens[-1:], **kw)
            raise MemoryError
        return super().forward(states, tokens, **kw)


def test_failed_forwards_lose_nothing() -> None:
    codec = dreaming_engine().codec
    whole = long_talk(engine_without_bounds())
    runtime = Failing(OWN, dream(OWN))
    engine = Engine("failing", runtime, codec, whole.settings.sampling)
    session = long_talk(engine)
    while len(session.rows) < 120:
        try:
            engine.step([session])
        except MemoryError:
            assert session.state.num_rows == session.num_context_rows
    reference = engine_without_bounds()
    while len(whole.rows) < 120:
        reference.step([whole])
    assert session.rows == whole.rows


class TestRebuild:
    @pytest.mark.parametrize("prefill_rows", [7, 256])
    @pytest.mark.parametrize("num_rows", [3, 20, 42])
    def test_a_session_from_its_rows_goes_on_as_it_would_have(
        self, num_rows: int, prefill_rows: int
    ) -> None:
        engine = engine_without_bounds()
        engine.prefill_rows = prefill_rows
        session = long_talk(engine)
        session.hold()
        while len(session.rows) < num_rows:
            engine.step([session])
        rebuilt = engine.rebuild(
            session.settings, session.grid, session.marks.cut(num_rows),
            context_rows=60, rolling=ROLLING,
        )  # fmt: skip
        assert (rebuilt.rows, rebuilt.is_held) == (session.rows, True)
        session.clear()
        for each in (session, rebuilt):
            while len(each.rows) < 60:
                engine.step([each])
        assert rebuilt.rows == session.rows

    def test_one_that_was_at_rest_reads_and_rests(self) -> None:
        engine = dreaming_engine()
        session = engine.open(engine.settings(max_rows=30))
        session.give("hello")
        engine.finish([session])
        rebuilt = engine.rebuild(
            session.settings, session.grid, session.marks.cut(len(session.rows)),
            context_rows=64, stopped_by=session.stopped_by,
        )  # fmt: skip
        assert rebuilt.is_active
        engine.finish([rebuilt])
        assert (rebuilt.rows, rebuilt.stopped_by) == (session.rows, session.stopped_by)
        for each in (session, rebuilt):
            each.give("and")
            engine.finish([each])
        assert rebuilt.rows == session.rows

    def test_before_it_has_read_all_it_can_be_forked_saved_and_cut(self, tmp_path: Path) -> None:
        engine = engine_without_bounds()
        engine.prefill_rows = 6
        session = long_talk(engine)
        while len(session.rows) < 40:
            engine.step([session])
        rebuilt = engine.rebuild(session.settings, session.grid, session.marks.cut(40))
        engine.step([rebuilt])
        twin = engine.fork(rebuilt)
        engine.save(rebuilt, tmp_path / "talk")
        resumed = engine.resume(tmp_path / "talk")
        shorter = engine.fork(rebuilt)
        engine.rewind(shorter, 30)
        for each in (session, rebuilt, twin, resumed, shorter):
            while len(each.rows) < 42:
                engine.step([each])
            assert each.rows == session.rows

    def test_what_does_not_fit_is_refused(self) -> None:
        engine = engine_without_bounds()
        session = long_talk(engine)
        while len(session.rows) < 80:
            engine.step([session])
        with pytest.raises(ContextFullError, match="session: expected at most 60 rows, got 80"):
            engine.rebuild(session.settings, session.grid, Marks(), context_rows=60)
        rolled = engine.rebuild(
            session.settings, session.grid, session.marks, context_rows=60, rolling=ROLLING
        )
        assert rolled.first_row == 80 - 23
        wrong = type(session.grid)(session.grid.tokens_RC + 300, session.grid.given_RC)
        with pytest.raises(GridError, match="token ids"):
            engine.rebuild(session.settings, wrong, Marks())
