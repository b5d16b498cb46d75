"""What was read once is shared, and nobody can tell: neither by rows nor by bits of the state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from motet.engine import Engine, Feed, Past, history_rows, load
from motet.engine.beginnings import Beginnings
from motet.engine.rolling import Rolling
from motet.runtime.native.state import NativeState
from motet.streams.grid import Tokens
from tests.engine.scripted import OWN, ScriptedRuntime, ScriptedState, dream, dreaming_engine

SYSTEM = "Say as little as you can, and count whatever can be counted."
TALKS = [
    [Past("system", SYSTEM), Past("user", "What is 6 times 7?")],
    [Past("system", SYSTEM), Past("user", "What is 6 times 7?"), Past("assistant", "That is 42.")],
    [Past("system", SYSTEM), Past("user", "And now?")],
    [Past("user", "Something else, and long enough to be worth keeping.")],
]


@cache
def embedded() -> Engine[Any]:
    return load(threads=1)


def engine_with(beginning_bytes: int) -> Engine[Any]:
    own = embedded()
    engine = Engine(own.name, own.runtime, own.codec, own.sampling, prefill_rows=20)
    engine.beginnings = Beginnings(own.runtime, beginning_bytes)
    return engine


def bits(state: NativeState) -> Iterator[str]:
    """Digests of all that a state holds, of the ring of what is not overwritten yet."""
    tokens, cache, _, snapshots = state.parts()
    needed = range(state.num_rows - (state.shape.W - 1), state.num_rows)
    for part in (tokens, cache, snapshots, state.ring[:, [row % 64 for row in needed]]):
        yield sha256(part.tobytes()).hexdigest()


def talk(engine: Engine[Any], messages: list[Past], **options: Any) -> tuple[Any, ...]:
    beginning = history_rows(engine.codec, messages)
    settings = engine.settings(max_rows=30, seed=len(messages))
    session = engine.open(settings, context_rows=200, beginning=beginning, **options)
    session.give("What is 3 times 5?", feed=Feed.PREFILL)
    engine.finish([session])
    assert isinstance(session.state, NativeState)
    assert session.state.max_rows == 200
    return session.rows, list(bits(session.state)), session.marks


def check_sharing() -> list[int]:
    """Rows and bits of the same talks, read alone and shared; how many rows were shared in each."""
    alone, sharing, shared = engine_with(0), engine_with(1 << 28), []
    for options in ({}, {"rolling": Rolling()}):
        for messages in TALKS * 2:
            before = sharing.beginnings.num_rows
            expected = talk(alone, messages, **options)
            assert talk(sharing, messages, **options) == expected, "law of sharing"
            shared.append(sharing.beginnings.num_rows - before)
    assert alone.beginnings.num_rows == 0
    return shared


def test_a_short_session_shares_with_one_that_was_longer_than_it_may_become() -> None:
    alone, sharing = engine_with(0), engine_with(1 << 28)
    long = [*TALKS[1], Past("user", "And then? " * 20)]
    rows = []
    for engine in (alone, sharing):
        talk(engine, long)
        beginning = history_rows(engine.codec, TALKS[0])
        room = len(beginning) + 20
        assert room < len(history_rows(engine.codec, long))
        session = engine.open(engine.settings(), context_rows=room, beginning=beginning)
        session.give("Hm?", feed=Feed.PREFILL)
        engine.finish([session])
        assert session.state.max_rows == room
        rows.append(session.rows)
    assert rows[0] == rows[1]
    assert sharing.beginnings.num_rows > 0


def test_shared_beginnings_are_bit_identical() -> None:
    shared = check_sharing()
    system = len(history_rows(embedded().codec, TALKS[0][:1])) + 1
    assert shared[0] == shared[3] == 0
    assert shared[1] > shared[2] >= system
    assert all(rows > system for rows in shared[4:7])


def too_much_is_shared(patch: pytest.MonkeyPatch) -> None:
    original = Beginnings.find

    def find(self: Any, tokens_RC: Tokens, max_rows: int) -> Any:
        kept = self._kept[-1] if self._kept else None
        changed = tokens_RC.copy()
        if kept is not None and len(kept.tokens_RC) + 1 < len(changed):
            changed[: len(kept.tokens_RC)] = kept.tokens_RC
        return original(self, changed, max_rows)

    patch.setattr(Beginnings, "find", find)


def the_state_itself_is_shared(patch: pytest.MonkeyPatch) -> None:
    original = NativeState.fork

    def fork(self: Any, max_rows: int | None = None) -> Any:
        if max_rows != 200:
            return original(self, max_rows)
        twin = original(self, max_rows)
        twin.cache[...] = 0
        return twin

    patch.setattr(NativeState, "fork", fork)


def nothing_is_cut_off(patch: pytest.MonkeyPatch) -> None:
    def find(self: Any, tokens_RC: Tokens, max_rows: int) -> Any:
        if not self._kept:
            return None
        state = self._kept[-1].state.fork(max_rows)
        self._runtime.truncate(state, min(state.num_rows, len(tokens_RC) - 1))
        return state

    patch.setattr(Beginnings, "find", find)


@pytest.mark.parametrize(
    "mutant", [too_much_is_shared, the_state_itself_is_shared, nothing_is_cut_off]
)
def test_mutants_are_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError, match="law of sharing"):
        check_sharing()


def opened(engine: Engine[ScriptedState], text: str, seed: int = 1) -> Any:
    session = engine.open(engine.settings(seed=seed, max_rows=110))
    session.give(text, feed=Feed.PREFILL)
    return session


def blocks(engine: Engine[ScriptedState]) -> list[int]:
    runtime: Any = engine.runtime
    read = [len(block) for blocks in runtime.blocks_read for block in blocks]
    runtime.blocks_read.clear()
    return read


LONG = "a message that many begin with, "


def test_only_what_differs_is_read() -> None:
    engine = dreaming_engine()
    first = opened(engine, LONG + "one")
    engine.step([first])
    whole = len(first.rows)
    assert blocks(engine) == [whole]
    again, other = opened(engine, LONG + "one"), opened(engine, LONG + "two")
    engine.step([again, other])
    assert blocks(engine) == [1, 4]
    assert again.rows == first.rows
    assert len(other.rows) == whole
    assert engine.beginnings.num_hits == 2
    engine.step([opened(engine, LONG)])
    assert blocks(engine) == [1]  # what ends the message, where the others go on


def test_who_comes_meanwhile_waits() -> None:
    """Several choices of one answer: their prompt is read once, also in chunks."""
    engine = dreaming_engine(prefill_rows=8)
    choices = [opened(engine, LONG + "one", seed) for seed in range(3)]
    other = opened(engine, "something else, in no way like the others", 7)
    longer = opened(engine, LONG + "one" + LONG + LONG, 8)
    steps = []
    while any(session.is_opening for session in choices):
        assert len(engine.step([*choices, other, longer])) == 5
        steps.append(blocks(engine))
    whole = len(choices[0].rows) - 1
    assert steps[0] == [8, 8, 8]
    assert steps[-1][:3] == [1, 1, 1]
    assert engine.beginnings.num_rows == 2 * (whole - 1)
    engine.finish([*choices, other, longer])
    for seed, session in enumerate(choices):
        alone = dreaming_engine(prefill_rows=8, beginning_bytes=0)
        reference = opened(alone, LONG + "one", seed)
        alone.finish([reference])
        assert session.rows == reference.rows


def test_nobody_waits_for_what_is_not_kept() -> None:
    engine = dreaming_engine(beginning_bytes=0)
    engine.step([opened(engine, LONG), opened(engine, LONG)])
    assert len(blocks(engine)) == 2


def test_short_beginnings_are_not_worth_it() -> None:
    engine = dreaming_engine()
    for _ in range(2):
        engine.step([opened(engine, "hi")])
    assert blocks(engine) == [4, 4]
    assert engine.beginnings.num_bytes == 0


@dataclasses.dataclass(eq=False)
class Sized(ScriptedState):
    """A state that takes a thousand bytes a row."""

    @property
    def num_bytes(self) -> int:
        return 1000 * self.max_rows

    def fork(self, max_rows: int | None = None) -> Sized:
        return Sized(list(self.rows), max_rows or self.max_rows, self.num_channels)


def test_the_longest_unused_leaves() -> None:
    runtime = ScriptedRuntime(OWN, dream(OWN))
    beginnings: Beginnings[Any] = Beginnings(runtime, 70_000)

    def state(first: int, num_rows: int) -> Sized:
        return Sized([(first, row, 0) for row in range(num_rows)], 500, 3)

    def has(first: int) -> bool:
        return beginnings.find(state(first, 60).tokens_RC, 100) is not None

    for first in (1, 2, 3):
        beginnings.add(state(first, 20))
    assert has(1)
    beginnings.add(state(4, 20))
    assert [has(first) for first in (1, 2, 3, 4)] == [True, False, True, True]
    beginnings.add(state(1, 25))  # in place of its first rows
    beginnings.add(state(1, 20))  # which are there
    assert beginnings.num_bytes < 70_000
    assert [has(first) for first in (1, 3, 4)] == [True, True, True]
    found = beginnings.find(state(1, 60).tokens_RC, 100)
    assert found is not None
    assert (found.num_rows, found.max_rows) == (25, 100)
    beginnings.add(state(5, 80))
    assert not has(5)
    assert has(1)


class Failing(ScriptedRuntime):
    """Fails in one forward."""

    fails = False

    def forward(self, states: Any, tokens: Any, **kw: Any) -> Any:
        if self.fails:
            raise MemoryError
        return super().forward(states, tokens, **kw)


def test_a_session_that_shared_in_vain_may_begin_otherwise() -> None:
    """The forward failed, and the message was taken back before the next one."""
    reference = dreaming_engine()
    runtime = Failing(OWN, dream(OWN))
    engine = Engine("failing", runtime, reference.codec, reference.sampling)
    engine.step([opened(engine, LONG + "one")])
    sessions = [opened(each, LONG + "two") for each in (engine, reference)]
    runtime.fails = True
    with pytest.raises(MemoryError):
        engine.step(sessions[:1])
    assert sessions[0].state.num_rows == 0
    runtime.fails = False
    for each, session in zip((engine, reference), sessions, strict=True):
        session.interrupt("no", feed=Feed.PREFILL)
        each.finish([session])
    assert sessions[0].rows == sessions[1].rows
    assert np.array_equal(sessions[0].state.tokens_RC, sessions[0].grid.tokens_RC)
