"""What is read: every token of a text once, or what a model says to each prompt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import motet
from motet.engine import Engine
from motet.errors import InputError
from motet.eval.passages import (
    PIECE_ROWS,
    Prompt,
    conversations_of,
    development_prompts,
    pieces_of,
    prompts_of,
    read_text,
)
from motet.streams import StreamCodec
from motet.streams.layout import single_channel
from tests.cli.models import tokenizer

CODEC = StreamCodec(tokenizer(), single_channel(None, opening=(2,)))
PROMPTS = [Prompt("a", "What is 4 + 5?"), Prompt("b", "Who are you?"), Prompt("c", "Hello!")]


@pytest.fixture(scope="module")
def engine() -> Engine[object]:
    return motet.load(runtime="native", threads=1)


def test_a_text_is_read_once_and_each_piece_is_opened() -> None:
    text = "the quick brown fox jumps over the lazy dog. " * 60
    pieces = pieces_of(text, CODEC, 2048)
    assert len(pieces) > 2
    assert all(piece.tokens_RC[0, 0] == 2 and piece.first_row == 0 for piece in pieces)
    assert {len(piece.tokens_RC) for piece in pieces[:-1]} == {PIECE_ROWS + 1}
    said = np.concatenate([piece.tokens_RC[1:, 0] for piece in pieces])
    ids = CODEC.encode(text)
    assert len(ids) - len(said) in (0, 1)
    np.testing.assert_array_equal(said, ids[: len(said)])


def test_pieces_fit_a_short_context() -> None:
    pieces = pieces_of("word " * 300, CODEC, 64)
    assert max(len(piece.tokens_RC) for piece in pieces) == 64


@pytest.mark.parametrize("text", ["", "word", "word " * 30])
def test_a_text_of_one_piece_says_nothing_about_its_spread(text: str) -> None:
    with pytest.raises(InputError, match=f"text: expected at least {PIECE_ROWS + 2} tokens"):
        pieces_of(text, CODEC, 2048)


def test_conversations_are_what_the_model_says(engine: Engine[object]) -> None:
    passages = conversations_of(engine, PROMPTS, 1)
    assert len(passages) == 3
    for (_, text), passage in zip(PROMPTS, passages, strict=True):
        session = engine.open(engine.settings(seed=1))
        session.give(text)
        list(engine.stream(session))
        np.testing.assert_array_equal(passage.tokens_RC, session.grid.tokens_RC)
        assert passage.first_row == 0


def test_prompts_that_are_no_messages_are_named(engine: Engine[object]) -> None:
    with pytest.raises(InputError, match=r"^here:7: message: expected text without control"):
        conversations_of(engine, [PROMPTS[0], Prompt("here:7", "\x07")], 1)


def test_prompts_are_the_lines_that_say_something() -> None:
    assert prompts_of("one\n\n  \ntwo\n", "f.txt") == [("f.txt:1", "one"), ("f.txt:4", "two")]
    with pytest.raises(InputError, match=r"f\.txt: expected at least two prompts.*, got 1"):
        prompts_of("one\n\n", "f.txt")


def test_development_prompts_are_fixed_by_the_seed() -> None:
    assert development_prompts(1) == development_prompts(1) != development_prompts(2)
    assert all(where.startswith("development.txt:") for where, _ in development_prompts(1))


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("bytes", "nothing", "."):
        with pytest.raises(InputError, match="--text: expected a UTF-8 text file"):
            read_text(tmp_path / name)
