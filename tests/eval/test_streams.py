"""What `motet eval streams` finds in models whose behaviour is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from motet.cli.eval import evaluate
from motet.engine import Engine
from motet.errors import InputError
from motet.eval.streams.interrupted import measure_reactions
from motet.eval.streams.manners import Manners, measure_manners
from motet.eval.streams.planted import Doubt, measure_doubt
from motet.eval.streams.report import shares, shares_json
from motet.streams import StreamCodec
from motet.streams.grid import Tokens
from tests.engine.scripted import (
    CERTAIN,
    END,
    GREEDY,
    SILENCE,
    VOCAB_SIZE,
    ScriptedRuntime,
    byte_tokenizer,
    id_of,
    layout_of,
)

LAYOUT = layout_of("Think", "Skeptical")
USER, OUTPUT, THINK, SKEPTICAL = range(4)
QUESTIONS = ["a?", "bcd?", "ef?"]
LETTERS = {id_of(chr(c)): chr(c) for c in range(33, 127)} | {END.id: "$"}
TOKENS = {letter: token for token, letter in LETTERS.items()}
ALL = Manners(3, 3, 3, 3, 3, 3, 3)


def said(tokens_RC: Tokens, channel: int, start: int = 0) -> str:
    """ASCII letters since `start`; "$" for an end token."""
    return "".join(LETTERS.get(int(t), "") for t in tokens_RC[start:, channel])


def next_thought(think: str) -> int:
    """The next token of "3+4=7." and an end, whatever number is put there."""
    if "." in think:
        return TOKENS["$"]
    _, equals, number = think.partition("=")
    if equals:
        return TOKENS["." if number else "7"]
    return TOKENS["3+4="[len(think)]]


def talker(
    *,
    objects: Callable[[str], bool] = lambda thought: "=7" not in thought,
    reacts_after: int | None = 2,
    early: bool = False,
    mumbles: bool = False,
    number: str = "7",
) -> Engine[Any]:
    """Thinks "3+4=7.", doubts, then replies "is 7 indeed"; stops when the User cuts in."""

    def predict(tokens_RC: Tokens) -> NDArray[np.float32]:
        wants = [SILENCE.id] * 4
        user, output, think, doubt = (said(tokens_RC, channel) for channel in range(4))
        has_heard = user.endswith("$")
        reply = f"is{number}indeed$"
        if has_heard and "$" not in think:
            wants[THINK] = next_thought(think)
        verdict = "no!" if objects(think) else "ok"
        if "." in think and len(doubt) <= len(verdict):
            wants[SKEPTICAL] = TOKENS[(verdict + "$")[len(doubt)]]
        if ("$" in doubt or early) and len(output) < len(reply):
            wants[OUTPUT] = TOKENS[reply[len(output)]]
        ends = np.flatnonzero(tokens_RC[:, USER] == END.id)
        again = np.flatnonzero(tokens_RC[ends[0] + 1 :, USER] != SILENCE.id) if len(ends) else []
        if len(again) and reacts_after is not None:
            since = len(tokens_RC) - (int(ends[0]) + 1 + int(again[0]))
            if since >= reacts_after and "$" not in output:
                wants[OUTPUT] = END.id
        if mumbles and "$" in output and len(tokens_RC) % 16 == 0:
            wants[THINK] = TOKENS["m"]
        logits = np.zeros((4, VOCAB_SIZE), np.float32)
        logits[np.arange(4), wants] = CERTAIN
        return logits

    codec = StreamCodec(byte_tokenizer(), LAYOUT)
    return Engine("talker", ScriptedRuntime(LAYOUT, predict), codec, GREEDY)


def settings(engine: Engine[Any]) -> Any:
    return engine.settings(silence_penalty_output=0.0, silence_penalty_thought=0.0)


def nothing() -> None:
    pass


def manners(engine: Engine[Any]) -> Manners:
    return measure_manners(engine, settings(engine), QUESTIONS, "Think", nothing)


def test_good_manners() -> None:
    assert manners(talker()) == ALL


def test_each_fault_shows_in_its_own_count() -> None:
    assert manners(talker(early=True)).num_waited == 0
    assert manners(talker(mumbles=True)).num_rested == 0
    assert manners(talker(number="8")).num_agreed == 0


def doubt(engine: Engine[Any]) -> Doubt:
    return measure_doubt(
        engine, settings(engine), QUESTIONS, thinker="Think", doubter="Skeptical", seed=1,
        advance=nothing,
    )  # fmt: skip


def test_doubt() -> None:
    rightly = doubt(talker())
    assert rightly == Doubt(num_planted=3, num_objected=3, num_false=0, num_without=0)
    assert (rightly.recall, rightly.precision) == (1.0, 1.0)
    never = doubt(talker(objects=lambda _: False))
    assert (never.recall, never.precision) == (0.0, None)
    always = doubt(talker(objects=lambda _: True))
    assert (always.recall, always.precision) == (1.0, 0.5)
    wrongly = doubt(talker(objects=lambda thought: "=7" in thought))
    assert (wrongly.recall, wrongly.precision) == (0.0, 0.0)


@pytest.mark.parametrize("rows", [2, 5])
def test_reactions_are_counted_from_the_first_word(rows: int) -> None:
    engine = talker(reacts_after=rows)
    found = measure_reactions(engine, settings(engine), QUESTIONS, "Stop.", nothing)
    assert found.rows == (rows,) * 3
    assert (found.num_quick, found.median_rows) == (3, rows)


def test_a_model_that_talks_on_does_not_react() -> None:
    engine = talker(reacts_after=None)
    found = measure_reactions(engine, settings(engine), QUESTIONS, "Stop.", nothing)
    assert found.rows == (None,) * 3
    assert (found.num_quick, found.median_rows) == (0, None)


def test_shares_have_intervals_only_where_something_was_counted() -> None:
    engine = talker(objects=lambda _: False)
    reactions = measure_reactions(engine, settings(engine), QUESTIONS, "Stop.", nothing)
    found = shares_json(shares(manners(engine), reactions, doubt(engine)))
    assert found["ends"]["share"] == 1.0
    assert found["ends"]["interval_95"][0] < 1.0
    assert found["precision"] == {"hits": 0, "n": 0, "share": None, "interval_95": None}


def test_the_command(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    lines = [{"id": n, "text": f"What is {n} + 4?"} for n in (3, 5)]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    result = CliRunner().invoke(
        evaluate, ["streams", "--input", str(questions), "--threads", "1", "--seed", "3"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["n"] == 2
    assert set(found["shares"]) == {
        "speaks", "waits", "ends", "rests", "agrees", "reacts", "recall", "precision"
    }  # fmt: skip
    assert found["shares"]["speaks"]["n"] == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--doubter", "Output"], "expected a thought channel"),
        (["--input", "nowhere.jsonl"], "no such file"),
    ],
)
def test_mistakes_are_told(options: list[str], message: str) -> None:
    result = CliRunner().invoke(evaluate, ["streams", "--num-problems", "1", *options])
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
