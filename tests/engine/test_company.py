"""Sessions in company are the sessions they would be alone; and mutants of that."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.engine import Engine, Session
from motet.engine import context as context_module
from motet.engine import engine as engine_module
from motet.engine import transcript as transcript_module
from motet.engine.context import Context
from motet.engine.sampling import Dice
from motet.errors import GridError
from tests.engine.company import (
    Plan,
    check_company,
    check_parking,
    check_seeds,
    open_session,
    rows_alone,
)
from tests.engine.scripted import ScriptedRuntime, ScriptedState, dreaming_engine

texts = st.sampled_from(["hi", "hello", "no, no", "🙂", "x"])
actions = st.one_of(
    st.tuples(st.integers(0, 25), st.sampled_from(["give", "prefill", "interrupt", "put"]), texts),
    st.tuples(st.integers(0, 25), st.sampled_from(["fork", "save"]), st.just("")),
    st.tuples(st.integers(1, 25), st.sampled_from(["stop", "hold", "release"]), st.just("")),
    st.tuples(st.integers(1, 25), st.just("update"), st.sampled_from(["0.3", "2"])),
    st.tuples(st.integers(8, 25), st.just("rewind"), st.sampled_from(["1", "3", "9"])),
)
plans = st.builds(
    Plan,
    seed=st.integers(0, 5),
    actions=st.lists(actions, max_size=6).map(
        lambda found: ((0, "give", "hello"), *sorted(set(found)))
    ),
    num_ticks=st.sampled_from([30, 60]),
    rolls=st.booleans(),
)
schedules = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=60)


@settings(max_examples=60, deadline=None)
@given(st.lists(plans, min_size=1, max_size=5), schedules)
def test_any_company_gives_the_same(found: list[Plan], schedule: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = dreaming_engine(prefill_rows=4)
        assert check_company(engine, found, schedule, Path(folder)) >= 1


PLANS = [
    Plan(0, ((0, "give", "hello"), (6, "save", ""), (9, "rewind", "3"), (12, "fork", ""))),
    Plan(0, ((0, "give", "hello"), (3, "fork", ""), (14, "interrupt", "no"), (15, "save", ""))),
    Plan(1, ((2, "give", "hi"), (3, "save", ""), (3, "put", "so"), (4, "save", ""))),
    Plan(2, ((0, "prefill", "hello"), (0, "save", ""), (5, "rewind", "2"), (20, "give", "x"))),
    Plan(3, ((1, "give", "hello"), (4, "save", ""), (9, "give", "x"), (9, "fork", ""))),
    Plan(4, ((0, "give", "hi"), (5, "hold", ""), (6, "fork", ""), (9, "save", ""))),
    Plan(4, ((0, "give", "hi"), (5, "hold", ""), (9, "save", ""), (13, "release", ""))),
    Plan(5, ((0, "give", "hi"), (6, "stop", ""), (6, "save", ""), (6, "fork", ""))),
    Plan(5, ((0, "give", "hi"), (6, "stop", ""), (6, "save", ""), (9, "give", "x"))),
    Plan(6, ((0, "give", "hi"), (5, "update", "2"), (7, "fork", ""), (7, "save", ""))),
    Plan(7, ((0, "give", "hi"), (22, "fork", ""), (23, "save", ""), (40, "fork", "")), 60, True),
]
SCHEDULE = [[0, 1], [2, 0], [3], [1, 2, 3, 4], [4, 3, 2, 1, 0], [0, 0, 2], [4], [1, 3]] * 3


def check(engine: Engine[ScriptedState], folder: Path) -> None:
    check_company(engine, PLANS, SCHEDULE, folder)


def test_these_plans_hold(tmp_path: Path) -> None:
    check(dreaming_engine(), tmp_path)


def test_seeds_matter() -> None:
    check_seeds(dreaming_engine())


def test_parked_sessions_cost_nothing() -> None:
    check_parking(dreaming_engine())


def test_neighbours_differ() -> None:
    """Nothing above would notice if all sessions said the same."""
    alone = [tuple(row.token_ids for row in rows_alone(dreaming_engine(), p)) for p in PLANS]
    assert len(set(alone)) == len(PLANS)


Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def dice_in_order_of_asking(patch: Patch) -> None:
    stream = np.random.default_rng(0)
    patch.setattr(Dice, "roll", lambda self, row, channel: float(stream.random()))


def dice_count_their_own_rolls(patch: Patch) -> None:
    """Right alone and in company, but not after saving, forking or rewinding."""
    original = Dice.roll

    def roll(self: Any, row: int, channel: int) -> float:
        self.rolled = getattr(self, "rolled", 0) + 1
        return original(self, self.rolled, channel)

    patch.setattr(Dice, "roll", roll)


def dice_shared_by_sessions(patch: Patch) -> None:
    """One cache of random rows for all, keyed by the block alone."""
    blocks: dict[int, Any] = {}
    original = Dice.roll

    def roll(self: Any, row: int, channel: int) -> float:
        original(self, row, channel)
        block = blocks.setdefault(row // 64, self._block_RC)
        return float(block[row % 64, channel])

    patch.setattr(Dice, "roll", roll)


def logits_of_the_neighbour(patch: Patch) -> None:
    original = ScriptedRuntime.forward

    def forward(self: Any, states: Any, tokens: Any, **kw: Any) -> Any:
        logits = original(self, states, tokens, **kw)
        return [*logits[1:], logits[0]]

    patch.setattr(ScriptedRuntime, "forward", forward)


def parked_sessions_are_stepped(patch: Patch) -> None:
    patch.setattr(Session, "is_active", property(lambda s: bool(s.rows) or any(s.waiting.queues)))


def _patch_resume(patch: Patch, forget: Callable[[Any], None]) -> None:
    original = engine_module.load_session

    def load(*args: Any) -> Any:
        session = original(*args)
        forget(session)
        return session

    patch.setattr(engine_module, "load_session", load)


def resume_forgets_the_queue(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.waiting.queues = [type(queue)() for queue in session.waiting.queues]

    _patch_resume(patch, forget)


def resume_forgets_a_prefill(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.waiting.prefills = session.waiting.prefills[:1]

    _patch_resume(patch, forget)


def resume_forgets_where_the_turn_began(patch: Patch) -> None:
    def forget(session: Any) -> None:
        starts = list(session.turn_starts)
        session.turn_starts.clear()
        session.restore(session.rows, session.marks)
        session.turn_starts.extend(starts)

    _patch_resume(patch, forget)


def resume_forgets_what_was_said(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.transcript.said = [set() for _ in session.transcript.said]

    _patch_resume(patch, forget)


def resume_forgets_half_characters(patch: Patch) -> None:
    def forget(session: Any) -> None:
        transcript = session.transcript
        transcript._detokenizers = [session.codec.detokenizer() for _ in transcript._detokenizers]

    _patch_resume(patch, forget)


def resume_forgets_the_logits(patch: Patch) -> None:
    def forget(session: Any) -> None:
        if session.logits_XV is not None:
            session.logits_XV = np.zeros_like(session.logits_XV)

    _patch_resume(patch, forget)


def resume_with_another_seed(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.sampler.dice = Dice(session.settings.seed + 1, session.layout.num_channels)

    _patch_resume(patch, forget)


def _patch_engine(patch: Patch, name: str, then: Callable[..., None]) -> None:
    original = getattr(Engine, name)

    def changed(self: Any, session: Any, *args: Any) -> Any:
        before = session.logits_XV
        result = original(self, session, *args)
        then(session, result, before)
        return result

    patch.setattr(Engine, name, changed)


def resume_forgets_the_hold(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.marks.hold_changes.clear()

    _patch_resume(patch, forget)


def resume_forgets_the_closing_row(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.is_stopping = False

    _patch_resume(patch, forget)


def resume_forgets_what_was_drawn(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.transcript.drawn = [{} for _ in session.transcript.drawn]

    _patch_resume(patch, forget)


def resume_forgets_the_roll(patch: Patch) -> None:
    def forget(session: Any) -> None:
        session.context.roll = None

    _patch_resume(patch, forget)


def a_roll_ends_when_it_is_read(patch: Patch) -> None:
    """Whoever has to read it anew, a fork, then rolls later."""

    def begin(*args: Any) -> Any:
        roll = original(*args)
        roll.swap_at = max(roll.swap_at, roll.begun_at + 3)
        return roll

    original = context_module.begin_roll
    patch.setattr(context_module, "begin_roll", begin)
    patch.setattr(Context, "fork", lambda self: _fork_that_waits(self))


def _fork_that_waits(context: Any) -> Any:
    twin = Context(context.state.fork(), context.num_pinned, context.rolling)
    twin.first_row = context.first_row
    twin.roll = context.roll and dataclasses.replace(
        context.roll, state=None, swap_at=context.roll.swap_at + 2
    )
    return twin


def rewind_keeps_old_logits(patch: Patch) -> None:
    def then(session: Any, _: None, before: Any) -> None:
        session.logits_XV = before

    _patch_engine(patch, "rewind", then)


def rewind_keeps_what_was_said(patch: Patch) -> None:
    original = Session.restore

    def restore(self: Any, rows: Any, marks: Any) -> None:
        before = getattr(self, "transcript", None)
        original(self, rows, marks)
        if before is not None:
            both = zip(self.transcript.said, before.said, strict=True)
            self.transcript.said = [a | b for a, b in both]

    patch.setattr(Session, "restore", restore)


def rewind_keeps_the_state(patch: Patch) -> None:
    patch.setattr(ScriptedRuntime, "truncate", lambda *_: None)


def fork_shares_the_queue(patch: Patch) -> None:
    def then(session: Any, twin: Any, _: Any) -> None:
        twin.waiting.queues = session.waiting.queues

    _patch_engine(patch, "fork", then)


def fork_shares_the_state(patch: Patch) -> None:
    patch.setattr(ScriptedState, "fork", lambda self, max_rows=None: self)


def fork_forgets_the_turn(patch: Patch) -> None:
    def then(session: Any, twin: Any, _: Any) -> None:
        twin.turn_starts.clear()
        twin.restore(session.rows, twin.marks)

    _patch_engine(patch, "fork", then)


def fork_forgets_the_prefill(patch: Patch) -> None:
    def then(_: Any, twin: Any, __: Any) -> None:
        twin.waiting.prefills = []

    _patch_engine(patch, "fork", then)


def one_turn_for_all(patch: Patch) -> None:
    """Silence penalties and stop rules follow the session that was opened last."""
    original = transcript_module.Turn
    newest: dict[str, Any] = {}

    class Shared(original):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            newest["turn"] = self

        def silence_penalty(self, channel: int) -> float:
            return float(original.silence_penalty(newest["turn"], channel))

    patch.setattr(transcript_module, "Turn", Shared)


MUTANTS: list[Mutant] = [
    dice_in_order_of_asking, dice_count_their_own_rolls, logits_of_the_neighbour, one_turn_for_all,
    resume_forgets_the_queue, resume_forgets_a_prefill, resume_forgets_where_the_turn_began,
    resume_forgets_what_was_said, resume_forgets_half_characters, resume_forgets_the_logits,
    resume_with_another_seed, resume_forgets_the_hold, resume_forgets_the_closing_row,
    resume_forgets_what_was_drawn, resume_forgets_the_roll, a_roll_ends_when_it_is_read,
    rewind_keeps_old_logits, rewind_keeps_what_was_said, rewind_keeps_the_state,
    fork_shares_the_queue, fork_shares_the_state, fork_forgets_the_turn, fork_forgets_the_prefill,
]  # fmt: skip

MUTANT_PLANS = [
    *PLANS,
    Plan(4, ((0, "give", "🙂🙂"), (3, "save", ""), (8, "save", ""))),
    Plan(5, ((0, "prefill", "hello"), (0, "fork", ""), (7, "fork", ""), (11, "fork", ""))),
    *(Plan(s, ((0, "give", "x"), (10, "rewind", "6"), (18, "rewind", "9"))) for s in range(6, 16)),
    *(Plan(s, ((0, "give", "x"), (9, "save", ""), (16, "fork", ""))) for s in range(16, 22)),
]


def test_mutant_plans_hold(tmp_path: Path) -> None:
    check_company(dreaming_engine(), MUTANT_PLANS, SCHEDULE, tmp_path)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_noticed(mutant: Mutant, monkeypatch: Patch, tmp_path: Path) -> None:
    mutant(monkeypatch)
    noticed = r"session|rewound|distinct states|expected shape"
    with pytest.raises((AssertionError, GridError), match=noticed):
        check_company(dreaming_engine(), MUTANT_PLANS, SCHEDULE, tmp_path)


@pytest.mark.parametrize("mutant", [dice_shared_by_sessions, dice_in_order_of_asking])
def test_mutants_of_seeds_are_noticed(mutant: Mutant, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="session"):
        check_seeds(dreaming_engine())


def test_mutant_of_parking_is_noticed(monkeypatch: Patch) -> None:
    parked_sessions_are_stepped(monkeypatch)
    with pytest.raises(AssertionError, match="whose turn was over"):
        check_parking(dreaming_engine())


def test_a_check_of_nothing_would_be_noticed() -> None:
    session = open_session(dreaming_engine(), PLANS[0])
    assert not session.is_active
    assert len(rows_alone(dreaming_engine(), PLANS[0])) > 10
