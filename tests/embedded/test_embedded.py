"""The model that ships with the package does what the README says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import motet
from motet.data.tiny.mixture import held_out_problems
from motet.engine import Engine, StopReason
from motet.eval.answers import Attempt, attempt
from motet.formats.directory import EMBEDDED, resolve
from motet.runtime.native.state import NativeState

NUM_PROBLEMS = 100
MAX_MEGABYTES = 12


@pytest.fixture(scope="module")
def engine() -> Engine[NativeState]:
    return motet.load()


@pytest.fixture(scope="module")
def attempts(engine: Engine[NativeState]) -> list[Attempt]:
    return list(attempt(engine, held_out_problems(NUM_PROBLEMS, seed=1)))


def test_it_is_small() -> None:
    num_bytes = sum(path.stat().st_size for path in Path(resolve(EMBEDDED)).iterdir())
    assert 1_000_000 < num_bytes < MAX_MEGABYTES * 2**20


@pytest.mark.slow
def test_it_solves_problems_of_unseen_templates_and_ends(attempts: list[Attempt]) -> None:
    assert len(attempts) == NUM_PROBLEMS
    assert sum(a.is_right for a in attempts) >= 0.60 * NUM_PROBLEMS  # measured: 0.78 of 499
    assert sum(a.ended for a in attempts) >= 0.95 * NUM_PROBLEMS


@pytest.mark.slow
def test_it_needs_think(engine: Engine[NativeState], attempts: list[Attempt]) -> None:
    silenced = list(attempt(engine, held_out_problems(NUM_PROBLEMS, seed=1), ["Think"]))
    assert all(a.channels["Think"] == "" for a in silenced)
    cost = sum(a.is_right for a in attempts) - sum(a.is_right for a in silenced)
    assert cost >= 0.20 * NUM_PROBLEMS


def test_the_question_of_the_readme(engine: Engine[NativeState]) -> None:
    reply = engine.ask(
        "Tom has 47 apples. He buys 38 more and gives 12 to Anna. "
        "How many apples does Tom have now?"
    )
    assert "73" in reply.channels["Output"]
    assert "47+38" in reply.channels["Think"]
    assert reply.stopped_by == StopReason.END


def test_think_notes_numbers_while_the_user_still_speaks(engine: Engine[NativeState]) -> None:
    session = engine.open()
    session.give("Anna had 53 stickers and gave 28 of them away. How many are left?")
    rows = list(engine.stream(session))
    user, think = engine.codec.layout.index("User"), engine.codec.layout.index("Think")
    last_of_user = max(row.index for row in rows if not row.silent[user])
    noted = "".join(row.deltas[think] for row in rows if row.index <= last_of_user)
    assert "53" in noted


def test_skeptical_objects_to_a_wrong_step_and_think_corrects_it(
    engine: Engine[NativeState],
) -> None:
    session = engine.open()
    session.give("What is 47 + 38?")
    while session.turn.silent_input_rows < 1:
        engine.step([session])
    session.put("Think", "\n47+38: 7+8=17, 4+3+1=8 -> 87.")
    engine.finish([session])
    assert session.text("Skeptical").split("\n")[0].endswith(" no")
    assert session.text("Think").endswith("-> 85.")
    assert "85" in session.text("Output")


def test_output_stops_when_the_user_says_so(engine: Engine[NativeState]) -> None:
    session = engine.open()
    session.give(
        "Tom has 47 apples. He buys 38 more and gives 12 to Anna. "
        "How many apples does Tom have now?"
    )
    while session.turn.ttft_rows is None:
        engine.step([session])
    session.interrupt("Stop.")
    engine.finish([session])
    assert "73" not in session.text("Output")
    assert session.stopped_by == StopReason.END


def test_it_talks_about_itself(engine: Engine[NativeState]) -> None:
    assert "Motet" in engine.ask("Who are you?").channels["Output"]
