"""What settings make of a session's rows: penalties, ignored ends, logprobs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.engine import Feed, Sampling, StopReason
from motet.streams.layout import single_channel
from tests.engine.scripted import (
    CERTAIN,
    END,
    OWN,
    VOCAB_SIZE,
    Predict,
    dream,
    dreaming_engine,
    engine_of,
    id_of,
    scripted_engine,
)

A, B, C = (id_of(letter) for letter in "abc")


def leaning(**logits: float) -> Predict:
    """Every channel would say the same in every row; `end` is the end token."""

    def predict(_: Any) -> Any:
        found = np.full((3, VOCAB_SIZE), -9.0, np.float32)
        for letter, logit in logits.items():
            found[:, END.id if letter == "end" else id_of(letter)] = logit
        return found

    return predict


def said(num_rows: int, given: str = "no", **knobs: float) -> str:
    sampling = Sampling(temperature=0.0, **knobs)  # type: ignore[arg-type]
    engine = engine_of(OWN, leaning(a=4.0, b=3.0, c=2.0), sampling=sampling)
    session = engine.open(engine.settings(max_rows=num_rows + len(given) + 1))
    session.give(given)
    session.put("Think", "aaaaaaaaaa")
    engine.finish([session])
    return session.text("Output")[:num_rows]


def test_penalties_take_off_what_the_channel_has_sampled() -> None:
    assert said(6) == "aaaaaa"
    assert said(6, presence_penalty=1.5) == "abaaaa"
    counts = [said(12, frequency_penalty=1.0).count(letter) for letter in "abc"]
    assert counts == [5, 4, 3]


def test_neither_what_was_given_nor_other_channels_count() -> None:
    engine = engine_of(OWN, leaning(a=4.0, b=3.5), sampling=Sampling(0.0, presence_penalty=1.0))
    session = engine.open(engine.settings(max_rows=12))
    session.give("no")
    session.put("Think", "aaaa")
    engine.finish([session])
    assert session.text("Think")[:6] == "aaaaab"
    assert session.transcript.drawn[2][A] == session.text("Think").count("a") - 4


def test_one_channel_counts_its_reply_and_not_the_prompt() -> None:
    layout = single_channel(END)
    engine = engine_of(
        layout, lambda t: leaning(a=4.0, b=3.5)(t)[:1], sampling=Sampling(0.0, presence_penalty=1.0)
    )
    session = engine.open(engine.settings(max_rows=8))
    session.give("aaaa")
    engine.finish([session])
    assert session.text("Output")[4:6] == "ab"


class TestIgnoreEnd:
    @pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=0.0)])
    def test_it_talks_to_the_limit(self, sampling: Sampling) -> None:
        engine = engine_of(OWN, leaning(end=9.0, a=2.0), sampling=sampling)
        for ignores in (False, True):
            session = engine.open(engine.settings(max_rows=100, ignore_end=ignores))
            session.give("no")
            engine.finish([session])
            ended = (session.grid.tokens_RC[4:, 1:] == END.id).any()
            assert ended != ignores
        assert (len(session.rows), session.stopped_by) == (101, StopReason.MAX_ROWS)

    def test_neither_rest_nor_silence_nor_loops_end_it(self) -> None:
        for says in ({}, {"Output": "...ok"}, {"Output": "ab" * 90}):
            engine = scripted_engine(OWN, says)
            session = engine.open(engine.settings(max_rows=150, mute_rows=9, ignore_end=True))
            session.give("no")
            engine.finish([session])
            assert (len(session.rows), session.stopped_by) == (151, StopReason.MAX_ROWS)


class TestLogprobs:
    def test_of_what_the_visible_channel_sampled(self) -> None:
        knobs = Sampling(temperature=0.5, top_k=3, repetition_penalty=2.0, presence_penalty=1.0)
        engine = engine_of(OWN, dream(OWN), sampling=knobs)
        plain, recorded = (
            engine.open(engine.settings(max_rows=30, top_logprobs=n)) for n in (None, 4)
        )
        for session in (plain, recorded):
            session.give("no")
            session.hold()
            for _ in range(6):
                engine.step([session])
            session.release()
            engine.finish([session])
        assert all(row.logprobs is None for row in plain.rows)
        assert [dataclasses.replace(row, logprobs=None) for row in recorded.rows] == plain.rows
        runtime: Any = engine.runtime
        for row in recorded.rows:
            assert (row.logprobs is None) == row.given[1]
            if row.logprobs is None:
                continue
            logits = runtime.predict(recorded.grid.tokens_RC[: row.index])[1].astype(np.float64)
            logprobs = logits - np.log(np.exp(logits).sum())
            assert row.logprobs.logprob == pytest.approx(logprobs[row.token_ids[1]], abs=1e-5)
            best = np.argsort(-logprobs)[:4]
            assert [token for token, _ in row.logprobs.top] == best.tolist()
        assert sum(row.logprobs is not None for row in recorded.rows) > 5

    def test_they_stay_with_their_rows(self, tmp_path: Path) -> None:
        engine = dreaming_engine()
        session = engine.open(engine.settings(max_rows=30, top_logprobs=2))
        session.give("hello")
        for _ in range(15):
            engine.step([session])
        engine.save(session, tmp_path / "talk")
        twin, resumed = engine.fork(session), engine.resume(tmp_path / "talk")
        engine.finish([session, twin, resumed])
        assert twin.rows == resumed.rows == session.rows
        rows = list(session.rows)
        engine.rewind(session, 12)
        engine.finish([session])
        assert session.rows == rows

    def test_a_prefill_has_none(self) -> None:
        engine = dreaming_engine()
        session = engine.open(engine.settings(max_rows=30, top_logprobs=0))
        session.give("hello", feed=Feed.PREFILL)
        engine.step([session])
        engine.step([session])
        assert [row.logprobs is None for row in session.rows] == [True] * 6 + [False]
        assert session.rows[-1].logprobs is not None
        assert session.rows[-1].logprobs.top == ()

    def test_certainty(self) -> None:
        engine = scripted_engine(OWN, {"Output": "....ok$"})
        session = engine.open(engine.settings(max_rows=30, top_logprobs=1))
        session.give("no")
        engine.finish([session])
        ((token, logprob),) = session.rows[4].logprobs.top  # type: ignore[union-attr]
        assert (token, logprob) == (id_of("o"), pytest.approx(0.0, abs=2 * VOCAB_SIZE / CERTAIN**3))
