"""A conversation as a grid, with what each cell means to the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from motet.data.tiny.lines import Task
from motet.data.tiny.score import LAG, Part, Turn
from motet.data.tiny.tokenizer import END, SILENCE, token_id
from motet.streams.grid import TOKEN_DTYPE, Tokens
from motet.streams.layout import Channel, Role

__all__ = ["CHANNELS", "Conversation", "Target", "compose"]

CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
    Channel("Skeptical", Role.THOUGHT),
)
_ROWS_AFTER = 2


class Target(IntEnum):
    """What a cell is to the loss, as the target of the row before it.

    A decision is a spoken cell that says which step is taken, or that it was the last: few cells,
    and all that understanding a question comes to.
    """

    NONE = 0
    SPOKEN = 1
    SILENT = 2
    DECISION = 3


@dataclass(frozen=True, slots=True)
class Conversation:
    """tokens [R, C] and targets [R, C] (values of `Target`), and the tasks they came from.

    planted: the rows in which a line becomes wrong; in a sequence, in which it ends.
    """

    tokens_RC: Tokens
    targets_RC: NDArray[np.uint8]
    tasks: tuple[Task, ...]
    planted: tuple[int, ...] = ()


def compose(
    tasks: Sequence[Task],
    tokenizer: Tokenizer,
    rng: Random,
    *,
    mistake_share: float = 0.0,
    prefilled: bool = False,
    interrupted: bool = False,
    doubted: bool = True,
) -> Conversation:
    """Set tasks one after the other; row 0 is silent, so are rows between and two at the end.

    doubted: with Skeptical; without it there are three channels, and no mistakes to be planted.
    interrupted: the User asks the next thing in the middle of the work or of the reply; whoever
    speaks ends as soon as it can know.
    """
    user, output, think, skeptical = Part(), Part(), Part(), Part() if doubted else None
    assert doubted or not mistake_share, "a mistake needs somebody who objects"
    turn = Turn(tokenizer, user, output, think, skeptical, rng, mistake_share, prefilled)
    parts = turn.parts
    row = 1
    for number, task in enumerate(tasks, start=1):
        began, row = row, turn.write(task, row)
        if interrupted and number < len(tasks):
            row = rng.randint(user.free_row + 1, row)
            for part in parts[1:]:
                part.break_off(began, row + LAG, token_id(tokenizer, END))
            user.free_row = row
            turn.planted = [planted for planted in turn.planted if planted < row + LAG]
            continue
        row += rng.randint(1, 4)
        for part in parts:
            part.free_row = row
    num_rows = max(max(part.tokens, default=0) for part in parts) + 1 + _ROWS_AFTER
    tokens_RC = np.full((num_rows, len(parts)), token_id(tokenizer, SILENCE), dtype=TOKEN_DTYPE)
    targets_RC = np.full((num_rows, len(parts)), Target.SILENT, dtype=np.uint8)
    for channel, part in enumerate(parts):
        rows = list(part.tokens)
        tokens_RC[rows, channel] = list(part.tokens.values())
        targets_RC[rows, channel] = Target.SPOKEN
        targets_RC[list(part.decisions), channel] = Target.DECISION
        targets_RC[list(part.unlearned), channel] = Target.NONE
    targets_RC[0] = Target.NONE
    targets_RC[:, [c.role is Role.INPUT for c in CHANNELS[: len(parts)]]] = Target.NONE
    return Conversation(tokens_RC, targets_RC, tuple(tasks), tuple(turn.planted))
