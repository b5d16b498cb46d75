"""A generated conversation as it is stored: a grid for training, or a table for people.

A grid keeps what each cell is to the loss: cells that are given or wrong are not learned, cells
that decide something weigh more. A table says the same in words and leaves the opening row out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from tokenizers import Tokenizer

from motet.data.building import Written
from motet.data.grids import TokenGrid, write_grids
from motet.data.tables import Cell, Table, write_tables
from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation, Target
from motet.data.tiny.generate import Generation, generated
from motet.data.tiny.tokenizer import ANSWER, END, SILENCE, token_id
from motet.streams.codec import StreamCodec
from motet.streams.layout import ConvMode, Layout, Role, SpecialToken

__all__ = ["GridPart", "TablePart", "grid_of", "layout_of", "table_of"]

SOURCE = "motet-tiny"


def layout_of(tokenizer: Tokenizer, arrangement: Arrangement) -> Layout:
    """The layout that conversations of an arrangement are for.

    TokenizerError if a control token is missing.
    """
    silence, end = (SpecialToken(token_id(tokenizer, text), text) for text in (SILENCE, END))
    if arrangement.is_sequence:
        token_id(tokenizer, ANSWER)
    return Layout(
        channels=arrangement.channels,
        silence=silence,
        end=end,
        conv_mode=ConvMode.COLUMN,
        channel_embedding=not arrangement.is_sequence,
    )


def grid_of(conversation: Conversation, name: str, decision_weight: float) -> TokenGrid:
    """With the opening row in front, where there is one."""
    targets_RC = conversation.targets_RC
    weights_RC = np.where(targets_RC == Target.DECISION, decision_weight, 1.0).astype(np.float32)
    return TokenGrid(
        name,
        conversation.tokens_RC,
        targets_RC != Target.NONE,
        None if (weights_RC == 1).all() else weights_RC,
        meta=_meta(conversation, 0),
    )


def table_of(conversation: Conversation, name: str, codec: StreamCodec) -> Table:
    """A cell for each token, without the opening row; an end token closes in a row of its own."""
    layout = codec.layout
    num_opening = len(layout.opening_RC())
    rows = tuple(
        tuple(_cell(int(token), codec) for token in row)
        for row in conversation.tokens_RC[num_opening:]
    )
    meta = _meta(conversation, num_opening)
    unlearned = []
    for c, channel in enumerate(layout.channels):
        if channel.role is not Role.INPUT:
            is_left_out_R = conversation.targets_RC[num_opening:, c] == Target.NONE
            unlearned += [[channel.name, *run] for run in _runs(is_left_out_R.tolist())]
    if unlearned:
        meta["unlearned"] = unlearned
    return Table(name, layout.channels, rows, meta)


def _cell(token: int, codec: StreamCodec) -> Cell | None:
    if token == codec.silence_id:
        return None
    return Cell("", end=True) if token == codec.end_id else Cell(codec.decode([token]))


def _runs(flags: list[bool]) -> list[list[int]]:
    """First and last place of each run of True."""
    runs: list[list[int]] = []
    for place, is_set in enumerate(flags):
        if is_set and runs and runs[-1][1] == place - 1:
            runs[-1][1] = place
        elif is_set:
            runs.append([place, place])
    return runs


def _meta(conversation: Conversation, num_opening: int) -> dict[str, Any]:
    first = conversation.tasks[0]
    meta: dict[str, Any] = {"source": SOURCE, "family": first.family, "place": first.place}
    if len(conversation.tasks) == 1:
        meta["question"] = first.question
        if first.answer:
            meta["answer"] = first.answer
    if conversation.planted:
        meta["planted"] = [row - num_opening for row in conversation.planted]
    return meta


@dataclass(frozen=True)
class GridPart:
    """Writes shards of grids; `tokenizer` is the content of a tokenizer.json."""

    generation: Generation
    tokenizer: str
    decision_weight: float

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """Shard number `index`."""
        conversations = generated(self.generation, Tokenizer.from_str(self.tokenizer), index)
        return write_grids(
            file, (grid_of(one, name, self.decision_weight) for name, one in conversations)
        )


@dataclass(frozen=True)
class TablePart:
    """Writes shards of tables; `tokenizer` decides what stands in one row."""

    generation: Generation
    tokenizer: str

    def __call__(self, index: int, file: BinaryIO) -> Written:
        """Shard number `index`."""
        tokenizer = Tokenizer.from_str(self.tokenizer)
        codec = StreamCodec(tokenizer, layout_of(tokenizer, self.generation.arrangement))
        conversations = generated(self.generation, tokenizer, index)
        return write_tables(file, (table_of(one, name, codec) for name, one in conversations))
