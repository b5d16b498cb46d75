"""Sessions on the torch runtime with a tiny random model, opened from disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import motet
from motet.engine import Engine, Feed, Sampling, Session
from motet.errors import StateError
from motet.runtime.native.graph import Graph
from tests.checkpoint.directories import TWO_CHANNELS, write_own, write_published, write_stock
from tests.engine.company import Plan, check_company, check_parking, check_seeds, open_session
from tests.engine.scripted import OWN

SAMPLING = Sampling(temperature=0.9, top_k=0, repetition_penalty=1.1)


class Counting:
    """A runtime that writes down how many rows of how many sessions each forward reads."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self.forwards: list[list[int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def forward(self, states: Sequence[Any], tokens: Sequence[Any], **kw: Any) -> Any:
        self.forwards.append([len(block) for block in tokens])
        return self._runtime.forward(states, tokens, **kw)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def own(folder: Path) -> Engine[Any]:
    engine = motet.load(write_own(folder / "own"))
    engine.sampling = SAMPLING
    return engine


@pytest.fixture(scope="module")
def published(folder: Path) -> Engine[Any]:
    engine = motet.load(write_published(folder / "published"))
    engine.sampling = SAMPLING
    return engine


@pytest.fixture
def counted(own: Engine[Any]) -> tuple[Engine[Any], Counting]:
    runtime = Counting(own.runtime)
    return Engine("own", runtime, own.codec, SAMPLING), runtime  # type: ignore[arg-type]


PLANS = [
    Plan(0, ((0, "give", "hello"), (4, "save", ""), (10, "fork", ""), (14, "rewind", "5"))),
    Plan(0, ((0, "prefill", "hello there"), (6, "interrupt", "no"), (7, "save", ""))),
    Plan(1, ((3, "give", "hi"), (5, "put", "so"), (6, "fork", ""), (12, "save", ""))),
    Plan(2, ((1, "give", "x"), (2, "save", ""), (9, "prefill", "yes"), (20, "rewind", "4"))),
]
SCHEDULE = [[0], [0, 1], [2, 0, 1], [3], [3, 2, 1, 0], [1], [0, 2], [2, 3]] * 3


@pytest.mark.parametrize("name", ["own", "published"])
def test_laws_12_and_13(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(name)
    plans = [p for p in PLANS if name == "own" or not any(a[1] == "put" for a in p.actions)]
    assert check_company(engine, plans, SCHEDULE, tmp_path) > 80
    check_seeds(engine)
    check_parking(engine)


def test_a_turn_costs_one_forward_a_row(counted: tuple[Engine[Any], Counting]) -> None:
    engine, runtime = counted
    reply = engine.ask("hello", engine.settings(max_rows=20))
    assert runtime.forwards == [[1]] * reply.rows
    runtime.forwards.clear()
    reply = engine.ask("hello", engine.settings(max_rows=20, feed=Feed.PREFILL))
    assert runtime.forwards == [[6], *[[1]] * (reply.rows - 6)]  # "he" is one token


def test_parked_sessions_cost_nothing(counted: tuple[Engine[Any], Counting]) -> None:
    engine, runtime = counted
    fresh, spoken, busy = (open_session(engine, Plan(seed, ())) for seed in range(3))
    spoken.give("hello")
    list(engine.stream(spoken))
    runtime.forwards.clear()
    assert engine.step([fresh, spoken]) == []
    assert runtime.forwards == []
    busy.give("hello")
    for _ in range(8):
        engine.step([fresh, spoken, busy])
    assert runtime.forwards == [[1]] * 8
    assert fresh.state.num_rows == 0
    assert spoken.state.num_rows == len(spoken.rows)


def test_many_sessions_share_a_forward(counted: tuple[Engine[Any], Counting]) -> None:
    engine, runtime = counted
    sessions = [open_session(engine, Plan(seed, ())) for seed in range(4)]
    for session, feed in zip(sessions, (Feed.LIVE, Feed.PREFILL) * 2, strict=True):
        session.give("hello", feed=feed)
    engine.step(sessions)
    engine.step(sessions[1:])
    assert runtime.forwards == [[1, 6, 1, 6], [1, 1, 1]]


def test_rewind_to_every_row(own: Engine[Any]) -> None:
    """Over the state's snapshots too: 70 rows."""
    settings = own.settings(seed=4, max_rows=66, quiet_rows=60, mute_rows=60)
    whole = own.open(settings, context_rows=100)
    whole.give("hi", feed=Feed.PREFILL)
    list(own.stream(whole))
    assert len(whole.rows) > 60
    for num_rows in [4, 5, 31, 32, 33, 40, len(whole.rows) - 1, len(whole.rows)]:
        session = own.fork(whole)
        own.rewind(session, num_rows)
        assert session.rows == whole.rows[:num_rows]
        list(own.stream(session))
        assert session.rows == whole.rows


def test_a_forward_that_fails_half_way(own: Engine[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Even in the second block of a long prefill, when the first has been read for good."""
    long = "o" * 300
    monkeypatch.setattr(own, "prefill_rows", 512)

    def converse(fails: bool) -> list[list[Any]]:
        sessions = [own.open(own.settings(seed=s, max_rows=320)) for s in (0, 1)]
        sessions[0].give(long, feed=Feed.PREFILL)
        sessions[1].give("hello")
        for step in range(6):
            if fails and step in (0, 3):
                fail_once_after(monkeypatch, num_calls=1 if step == 0 else 0)
                with pytest.raises(MemoryError):
                    own.step(sessions)
                assert [s.state.num_rows for s in sessions] == [len(s.rows) for s in sessions]
            own.step(sessions)
        return [s.rows for s in sessions]

    assert converse(fails=True) == converse(fails=False)


def fail_once_after(patch: pytest.MonkeyPatch, num_calls: int) -> None:
    original, left = Graph.compute, [num_calls]

    def compute(self: Graph, num_threads: int) -> None:
        original(self, num_threads)
        left[0] -= 1
        if left[0] == -1:
            raise MemoryError

    patch.setattr(Graph, "compute", compute)


def talk(engine: Engine[Any]) -> Session[Any]:
    session = open_session(engine, Plan(0, ()))
    session.give("hello")
    for _ in range(12):
        engine.step([session])
    return session


def test_broken_session_files(own: Engine[Any], tmp_path: Path) -> None:
    path = tmp_path / "talk"
    own.save(talk(own), path)
    whole = path.read_bytes()
    assert own.resume(path).rows == talk(own).rows
    for length in range(0, len(whole), len(whole) // 12):
        path.write_bytes(whole[:length])
        with pytest.raises(StateError) as error:
            own.resume(path)
        assert "\n" not in str(error.value)
    for position in range(60, len(whole), len(whole) // 40):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            resumed = own.resume(path)
        except StateError:
            continue
        assert resumed.rows == talk(own).rows


def test_session_files_of_other_models(
    own: Engine[Any], published: Engine[Any], folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "talk"
    own.save(talk(own), path)
    two = motet.load(write_own(folder / "two", TWO_CHANNELS))
    stock = motet.load(write_stock(folder / "stock"))
    for other in (published, two, stock):
        with pytest.raises(StateError) as error:
            other.resume(path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)
    same = motet.load(Path(shutil.copytree(folder / "own", folder / "moved")))
    assert same.resume(path).rows == talk(own).rows


def test_ablating_a_thought_changes_the_others(own: Engine[Any]) -> None:
    """A twin: were Think not heard, the ablation that measures its worth would measure nothing."""
    plain = own.ask("hello", own.settings(max_rows=25, quiet_rows=30))
    quiet = own.ask("hello", own.settings(max_rows=25, quiet_rows=30, ablate=frozenset({"Think"})))
    assert quiet.channels["Think"] == ""
    assert plain.channels["Think"] != ""
    assert plain.channels["Output"] != quiet.channels["Output"]


def test_what_is_put_into_a_thought_is_heard(own: Engine[Any]) -> None:
    first, second = talk(own), talk(own)
    second.put("Think", "12")
    for _ in range(2):
        own.step([first, second])
    assert first.logits_XV is not None
    assert second.logits_XV is not None
    assert [r.token_ids for r in first.rows[:12]] == [r.token_ids for r in second.rows[:12]]
    output = own.codec.layout.sampled_indices.index(own.codec.layout.output_index)
    assert np.abs(first.logits_XV[output] - second.logits_XV[output]).max() > 0.1


def test_opening_rooms(own: Engine[Any]) -> None:
    assert own.open().state.max_rows == 1024  # what the model has, less than the usual 2048
    assert own.open(context_rows=7).state.max_rows == 7
    with pytest.raises(StateError, match="max_rows"):
        own.open(context_rows=1025)


def test_layout_of_the_runtime_is_the_codecs(own: Engine[Any]) -> None:
    assert own.runtime.layout == own.codec.layout == OWN
