"""A session that fails leaves the others as they are; long prefills do not stop them either."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from motet.engine import Engine, Feed, Sampling, Session
from motet.engine import waiting as waiting_module
from motet.errors import SessionError, TokenizerError
from tests.engine.scripted import (
    OWN,
    ScriptedRuntime,
    ScriptedState,
    dream,
    dreaming_engine,
    engine_of,
    scripted_engine,
)


def talks(engine: Engine[ScriptedState], count: int) -> list[Session[ScriptedState]]:
    sessions = [engine.open(engine.settings(seed=seed, max_rows=40)) for seed in range(count)]
    for session in sessions:
        session.give("hello")
    return sessions


def broken_after(num_rows: int, first_token: int) -> Any:
    """A dream whose logits are no numbers after so many rows that contain a certain token."""
    good = dream(OWN)

    def predict(tokens_RC: Any) -> Any:
        logits = good(tokens_RC)
        if len(tokens_RC) >= num_rows and first_token in tokens_RC[:, 2]:
            logits[1] = np.nan
        return logits

    return predict


def test_logits_that_are_no_numbers_fail_one_session_alone() -> None:
    sampling = Sampling(temperature=1.0)
    whole = engine_of(OWN, dream(OWN), sampling=sampling)
    expected = talks(whole, 4)
    whole.finish(expected)
    unlucky = next(r.token_ids[2] for r in expected[2].rows[4:9] if not r.silent[2])
    hit = [unlucky in s.grid.tokens_RC[:12, 2] for s in expected]
    assert hit[2]
    assert not all(hit)
    engine = engine_of(OWN, broken_after(12, unlucky), sampling=sampling)
    sessions, errors = talks(engine, 4), dict[int, Any]()
    while any(s.is_active and id(s) not in errors for s in sessions):
        for session, rows, error in engine.step([s for s in sessions if id(s) not in errors]):
            if error is not None:
                assert not rows
                errors[id(session)] = error
    for session, reference, was_hit in zip(sessions, expected, hit, strict=True):
        assert (id(session) in errors) == was_hit
        if was_hit:
            assert isinstance(errors[id(session)], SessionError)
            assert session.rows == reference.rows[: len(session.rows)]
        else:
            assert session.rows == reference.rows


def test_errors_are_raised_where_nobody_can_look_at_them() -> None:
    engine = engine_of(OWN, broken_after(8, 0), sampling=Sampling(temperature=1.0))
    for consume in (engine.finish, lambda sessions: list(engine.stream(sessions[0]))):
        with pytest.raises(SessionError, match="logits: expected finite numbers"):
            consume(talks(engine, 1))


def test_a_token_without_a_text_fails_one_session_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = dreaming_engine()
    reference = talks(engine, 2)
    engine.finish(reference)
    broken, other = talks(engine, 2)
    for _ in range(8):
        engine.step([broken, other])
    detokenizer = broken.transcript._detokenizers[1]

    def fail(_: int) -> str:
        raise TokenizerError("token", expected="a text", got="none")

    monkeypatch.setattr(detokenizer, "push", fail)
    (first, second) = engine.step([broken, other])
    assert isinstance(first.error, TokenizerError)
    assert second.rows
    assert broken.state.num_rows == len(broken.rows) == 8
    engine.finish([other])
    assert other.rows == reference[1].rows
    monkeypatch.undo()
    engine.rewind(broken, 8)  # its texts are made anew
    engine.finish([broken])
    assert broken.rows == reference[0].rows


class Failing(ScriptedRuntime):
    """Fails in the middle of a forward if told so."""

    fails = False

    def forward(self, states: Any, tokens: Any, **kw: Any) -> Any:
        logits = super().forward(states, tokens, **kw)
        if self.fails:
            raise MemoryError
        return logits


def test_a_rewind_that_fails_changes_nothing() -> None:
    runtime = Failing(OWN, dream(OWN))
    engine = Engine("failing", runtime, dreaming_engine().codec, Sampling(temperature=1.0))
    (session,) = talks(engine, 1)
    for _ in range(12):
        engine.step([session])
    session.give("more")
    twin = engine.fork(session)
    runtime.fails = True
    with pytest.raises(MemoryError):
        engine.rewind(session, 5)
    runtime.fails = False
    assert (len(session.rows), session.state.num_rows) == (12, 12)
    engine.finish([session, twin])
    assert session.rows == twin.rows


def prefilled(prefill_rows: int, calls: list[list[int]] | None = None) -> list[Any]:
    engine = dreaming_engine(prefill_rows=prefill_rows)
    runtime: Any = engine.runtime
    long, other = (engine.open(engine.settings(seed=s, max_rows=60)) for s in (1, 2))
    other.give("hello")
    engine.step([long, other])
    long.give("a message that takes a while", feed=Feed.PREFILL)
    long.give("and one more", feed=Feed.PREFILL)
    runtime.blocks_read.clear()
    engine.finish([long, other])
    if calls is not None:
        calls += [[len(block) for block in blocks] for blocks in runtime.blocks_read]
    return [(s.rows, s.turn_starts, s.marks, s.stopped_by) for s in (long, other)]


def test_a_prefill_in_chunks_is_the_prefill() -> None:
    calls: list[list[int]] = []
    whole = prefilled(256)
    assert prefilled(7, calls) == whole
    assert calls[:6] == [[7, 1]] * 5 + [[calls[5][0], 1]]  # the other speaks on, row by row
    for prefill_rows in (1, 2, 40):
        assert prefilled(prefill_rows) == whole


def chunk_is_read_twice(self: Any, num_rows: int) -> None:
    rest = waiting_module.joined(self.prefills)
    start = num_rows - 1 if len(rest.tokens_RC) > num_rows else num_rows
    rest = rest.part(start, len(rest.tokens_RC))
    self.prefills = [rest] if len(rest.tokens_RC) else []


def test_a_mutant_of_chunks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prefilled(256)
    drop = waiting_module.Waiting.drop_read
    monkeypatch.setattr(
        waiting_module.Waiting,
        "drop_read",
        lambda self, n: chunk_is_read_twice(self, n) if self.prefills else drop(self, n),
    )
    assert prefilled(7) != whole


def test_an_interruption_of_a_prefill_half_read() -> None:
    engine = scripted_engine(OWN, {})
    engine.prefill_rows = 4
    session = engine.open()
    session.give("abcdefgh", feed=Feed.PREFILL)
    engine.step([session])
    session.interrupt("no")
    engine.finish([session])
    assert session.text("User") == "abc\nno"
    assert session.turn_starts == [1, 4]


def test_a_full_context_has_an_entry_of_its_own() -> None:
    engine = scripted_engine(OWN, {"Output": "...." + "ab" * 20})
    session = engine.open(context_rows=12)
    session.give("hi")
    found = []
    while session.is_active:
        found += engine.step([session])
    assert [len(rows) for _, rows, _ in found] == [1] * 12 + [0]
    assert found[-1].error is None
    assert session.stopped_by is not None
