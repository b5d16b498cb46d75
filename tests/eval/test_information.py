"""What channels tell each other, and quiet: on a model whose every loss is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from motet.cli.eval import evaluate
from motet.data.dataset import MadeBy
from motet.data.grids import GridWriter, TokenGrid, tokenizer_sha256
from motet.data.tiny.mixture import held_out_problems
from motet.engine import Engine, load
from motet.errors import InputError
from motet.eval.passages import Passage, Prompt, conversations_of
from motet.eval.streams.information import Told, measure_information
from motet.eval.streams.quiet import measure_quiet
from motet.formats.directory import EMBEDDED, resolve
from motet.runtime.protocol import Wanted
from motet.streams import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Tokens
from tests.engine.scripted import GREEDY, SILENCE, VOCAB_SIZE, byte_tokenizer, id_of, layout_of

LAYOUT = layout_of("Think", "Skeptical")
USER, OUTPUT, THINK, SKEPTICAL = range(4)
SURE, A = 4.0, id_of("a")
BLIND = float(np.log(VOCAB_SIZE))
"""Loss of who knows nothing."""
KNOWING = float(np.log(np.exp(SURE) + VOCAB_SIZE - 1) - SURE)


@dataclass
class State:
    rows: list[list[int]] = field(default_factory=list)


@dataclass
class Listener:
    """Every channel's next token is, it thinks, what `hears` says of all rows so far."""

    hears: Callable[[Tokens], Sequence[int | None]]
    layout = LAYOUT
    vocab_size = VOCAB_SIZE
    context_rows = 512

    def open(self, max_rows: int) -> State:
        return State()

    def forward(
        self, states: Sequence[State], tokens: Sequence[Tokens], *, wanted: Wanted,
        channels: Sequence[int],
    ) -> list[NDArray[np.float32]]:  # fmt: skip
        (state,), (block_RC,) = states, tokens
        assert wanted is Wanted.ALL
        logits = np.zeros((len(block_RC), LAYOUT.num_channels, VOCAB_SIZE), np.float32)
        for place, row in enumerate(block_RC.tolist()):
            state.rows.append(row)
            for channel, token in enumerate(self.hears(np.array(state.rows))):
                if token is not None:
                    logits[place, channel, token] = SURE
        return [logits[:, list(channels)]]


def engine_of(hears: Callable[[Tokens], Sequence[int | None]]) -> Engine[Any]:
    runtime: Any = Listener(hears)
    return Engine("listener", runtime, StreamCodec(byte_tokenizer(), LAYOUT), GREEDY)


def passage(seed: int, num_rows: int = 150) -> Passage:
    """After a silent row, random letters of User, which Think repeats a row later, and Output two.

    More rows than are read at once.
    """
    letters = np.random.default_rng(seed).integers(A, A + 20, num_rows)
    tokens_RC = np.full((num_rows, 4), SILENCE.id, TOKEN_DTYPE)
    tokens_RC[1:, USER] = letters[1:]
    tokens_RC[2:, THINK] = letters[1:-1]
    tokens_RC[3:, OUTPUT] = letters[1:-2]
    return Passage(tokens_RC, first_row=0)


def echo(tokens_RC: Tokens) -> list[int | None]:
    """Think looks at the User, Output at Think, Skeptical at nobody; silence tells nothing."""
    user, _, think, _ = (int(token) for token in tokens_RC[-1])
    known = [token if token != SILENCE.id else None for token in (think, user)]
    return [None, known[0], known[1], None]


def test_who_tells_whom() -> None:
    counted: list[int] = []
    found = measure_information(
        engine_of(echo), [passage(1), passage(2)], lambda: counted.append(1)
    )
    told = {(t.channel, t.hidden): t for t in found}
    knows = BLIND - KNOWING
    assert {key: round(t.told, 3) for key, t in told.items()} == {
        ("Output", ("User",)): 0.0,
        ("Output", ("Think",)): round(knows, 3),
        ("Output", ("Skeptical",)): 0.0,
        ("Output", ("User", "Think", "Skeptical")): round(knows, 3),
        ("Think", ("User",)): round(knows, 3),
        ("Think", ("Output",)): 0.0,
        ("Think", ("Skeptical",)): 0.0,
        ("Think", ("User", "Output", "Skeptical")): round(knows, 3),
    }  # Skeptical says nothing
    output: Told = told["Output", ("Think",)]
    assert output.loss == pytest.approx(KNOWING, abs=1e-6)
    assert output.num_tokens == 2 * 147
    assert output.interval == pytest.approx((knows, knows))
    assert len(counted) == 2


def test_only_what_is_said_after_the_opening_counts() -> None:
    """A warm start stays visible and is no target."""
    late = Passage(passage(1).tokens_RC, first_row=100)
    (*_, think) = (t for t in measure_information(engine_of(echo), [late, late], lambda: None)
                   if t.hidden == ("User",))  # fmt: skip
    assert think.num_tokens == 2 * 49


def test_only_targets_count() -> None:
    tokens_RC = passage(1).tokens_RC
    learned_RC = np.zeros(tokens_RC.shape, np.bool_)
    learned_RC[50:60, THINK] = True
    found = measure_information(
        engine_of(echo), [Passage(tokens_RC, 0, learned_RC)] * 2, lambda: None
    )
    assert {(t.channel, t.num_tokens) for t in found} == {("Think", 20)}


def test_quiet() -> None:
    """Silence gets exp(4) of exp(4) + 1 for each other token, in 3 sampled cells of each row."""
    quiet = measure_quiet(engine_of(lambda _: [SILENCE.id] * 4), num_rows=10)
    assert quiet.probability == pytest.approx(np.exp(-KNOWING * 30))
    assert (quiet.num_rows, quiet.first_row) == (10, None)


@pytest.mark.parametrize("row", [1, 7, 100])
def test_who_speaks_unasked(row: int) -> None:
    def hears(tokens_RC: Tokens) -> list[int | None]:
        assert (tokens_RC == SILENCE.id).all()
        speaks = len(tokens_RC) == row
        return [None, SILENCE.id, A if speaks else SILENCE.id, SILENCE.id]

    quiet = measure_quiet(engine_of(hears), num_rows=100)
    assert quiet.first_row == row - 1


def test_the_command_tells_both(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    lines = [{"id": n, "text": f"What is {n} + 4?"} for n in (3, 5)]
    questions.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    result = CliRunner().invoke(evaluate, ["streams", "--input", str(questions), "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert "quiet for 64 rows before anyone speaks" in result.stdout
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["quiet"]["greedy_speaks_at"] is None
    told = {(t["channel"], *t["hidden"]): t["told"] for t in found["information"]["told"]}
    assert told["Output", "User", "Think", "Skeptical"] > 0.1
    assert told["Think", "User"] > 0.1
    assert found["information"]["n"] == 2


def streams(*arguments: object) -> Any:
    """The JSON line of a run without much else."""
    result = CliRunner().invoke(evaluate, ["streams", "--threads", "1", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def test_grids_of_what_a_model_says_tell_the_same(tmp_path: Path) -> None:
    engine, model = load(threads=1), resolve(EMBEDDED)
    prompts = [Prompt("", task.question) for task in held_out_problems(3, seed=1)]
    passages = conversations_of(engine, prompts, seed=1)
    codec, made_by = engine.codec, MadeBy(command=("test",))
    with GridWriter(
        tmp_path / "own", codec.layout, codec.vocab_size, tokenizer_sha256(model), made_by
    ) as writer:
        for number, said in enumerate(passages):
            writer.write(TokenGrid(str(number), said.tokens_RC))
    own = streams("--num-problems", 3)["information"]
    stored = streams("--num-problems", 3, "--grids", tmp_path / "own")["information"]
    assert stored["source"] == str(tmp_path / "own")
    assert stored["told"] == own["told"]


def test_grids_belong_to_a_directory(tmp_path: Path) -> None:
    result = CliRunner().invoke(evaluate, ["streams", "--num-problems", "1", "--grids", tmp_path])
    assert isinstance(result.exception, Exception)
    assert "dataset.json" in str(result.exception)
    assert not isinstance(result.exception, InputError)
