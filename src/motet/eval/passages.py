"""Rows to measure predictions on: a text for a one-channel model, conversations for others.

A text is cut into pieces that are read apart, and each conversation is one of its own, so that the
spread between them says how sure a mean over all of them is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from motet.data.tiny.mixture import held_out_problems
from motet.engine import Engine
from motet.errors import ContextFullError, InputError
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Mask, Tokens
from motet.streams.layout import Layout

PIECE_ROWS = 256
CONVERSATION_ROWS = 1_024
BATCH_SIZE = 32
NUM_PROMPTS = 64


class Prompt(NamedTuple):
    """A message to a model. where: what to call it in errors."""

    where: str
    text: str


@dataclass(frozen=True)
class Passage:
    """Rows [R, C] that are read together. first_row: the first whose predictions count.

    learned_RC: the cells that are targets; None if every cell of a sampled channel is one.
    """

    tokens_RC: Tokens
    first_row: int
    learned_RC: Mask | None = None


def read_text(file: Path) -> str:
    """InputError if the file can't be read or is not UTF-8."""
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--text", expected="a UTF-8 text file", got=error) from None


def prompts_of(text: str, name: str) -> list[Prompt]:
    """The lines of a text that say something, at least two or InputError. name: of its file."""
    lines = enumerate(text.splitlines(), start=1)
    prompts = [Prompt(f"{name}:{number}", line) for number, line in lines if line.strip()]
    if len(prompts) < 2:
        raise InputError(name, expected="at least two prompts, each on a line", got=len(prompts))
    return prompts


def development_prompts(seed: int) -> list[Prompt]:
    """Word problems of templates that no model was trained on."""
    problems = held_out_problems(NUM_PROMPTS, seed, development=True)
    return [Prompt(problem.place, problem.question) for problem in problems]


def pieces_of(text: str, codec: StreamCodec, context_rows: int) -> list[Passage]:
    """A text for a one-channel model, in pieces of `PIECE_ROWS` tokens after the usual opening.

    The last piece may be shorter; a token that is left over alone is not read. InputError if the
    text makes fewer than two pieces.
    """
    opening = codec.layout.opening_RC()
    length = min(PIECE_ROWS, context_rows - len(opening))
    ids = np.array(codec.encode(text), TOKEN_DTYPE)
    pieces = [ids[start : start + length] for start in range(0, len(ids) - 1, length)]
    if len(pieces) < 2:
        raise InputError("text", expected=f"at least {length + 2} tokens", got=len(ids))
    return [_passage(np.concatenate([opening, piece[:, None]]), codec.layout) for piece in pieces]


def conversations_of(engine: Engine[Any], prompts: Sequence[Prompt], seed: int) -> list[Passage]:
    """What a model says to each prompt, in a session of its own, with its recommended sampling.

    InputError if one of them can't be a message.
    """
    settings = engine.settings(seed=seed)
    context_rows = min(CONVERSATION_ROWS, engine.runtime.context_rows)
    passages = []
    for start in range(0, len(prompts), BATCH_SIZE):
        sessions = []
        for where, text in prompts[start : start + BATCH_SIZE]:
            session = engine.open(settings, context_rows=context_rows)
            try:
                session.give(text)
            except (InputError, ContextFullError) as error:
                raise InputError(f"{where}: {error}") from None
            sessions.append(session)
        engine.finish(sessions)
        passages += [_passage(s.grid.tokens_RC, engine.codec.layout) for s in sessions]
    return passages


def passages_of_grids(path: Path, engine: Engine[Any], model: Path, num_most: int) -> list[Passage]:
    """The first conversations of a dataset of grids, as far as the model's context reaches.

    model: the engine's directory, whose tokenizer must have made the tokens. DataError if the
    dataset is broken or fits another model.
    """
    from motet.data.grids import GridDataset, tokenizer_sha256  # they need pyarrow

    if not model.is_dir():
        raise InputError(
            "--grids", expected="a model directory, which has its tokenizer beside it", got=model
        )
    dataset = GridDataset.open(path)
    dataset.check_fit(engine.codec.layout, tokenizer_sha256(model))
    most = engine.runtime.context_rows
    grids = islice(dataset.read(), num_most)
    first_row = max(dataset.num_opening_rows, 1) - 1
    return [
        Passage(
            grid.tokens_RC[:most], first_row,
            None if grid.learned_RC is None else grid.learned_RC[:most],
        )
        for grid in grids
    ]  # fmt: skip


def _passage(tokens_RC: Tokens, layout: Layout) -> Passage:
    return Passage(tokens_RC, first_row=max(len(layout.opening_RC()), 1) - 1)
