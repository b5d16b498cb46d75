"""From a table to a grid: which token stands in which row.

A message is tokenised whole, so that what is typed is what is read. A token belongs to the cell in
which it begins. A row of the table becomes as many rows of the grid as its fullest cell has tokens,
while the others rest, so what stood in an earlier row still does:

    table   User    Output          grid   User    Output
            Hello                          Hel
                    Hm                     lo
                                                   Hm

In front stand the rows that open a session of the model.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import numpy as np

from motet.data.table import Message, Table
from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Mask, Tokens
from motet.streams.layout import Channel, Layout

__all__ = ["check_channels", "tokenize"]

UNLEARNED = "unlearned"
PLANTED = "planted"


def check_channels(channels: tuple[Channel, ...], layout: Layout, where: str) -> None:
    """DataError if tables of `channels` cannot become grids of `layout`."""
    if channels != layout.channels:
        expected, got = (
            ", ".join(f"{c.name} ({c.role.value})" for c in cs)
            for cs in (layout.channels, channels)
        )
        raise DataError(
            f"{where}: channels", expected=f"{expected}, as the model has", got=got,
            fix="motet data project streams chooses and renames channels",
        )  # fmt: skip


def tokenize(table: Table, codec: StreamCodec) -> TokenGrid:
    """The grid of a table, in the channels of `codec.layout` (see `check_channels`).

    InputError if the tokenizer has no tokens for some character, DataError if `meta` does not fit.
    """
    layout = codec.layout
    cells: dict[tuple[int, int], list[int]] = {}
    for c in range(layout.num_channels):
        for message in table.said(c):
            for row, ids in _tokens_by_row(message, codec):
                cells.setdefault((row, c), []).extend(ids)
    heights = [1 if layout.silence is not None else 0] * table.num_rows
    for (row, _), ids in cells.items():
        heights[row] = max(heights[row], len(ids))
    opening_RC = layout.opening_RC()
    starts = [len(opening_RC) + n for n in accumulate(heights, initial=0)]
    silence_id = 0 if layout.silence is None else layout.silence.id
    tokens_RC = np.full((starts[-1], layout.num_channels), silence_id, TOKEN_DTYPE)
    tokens_RC[: len(opening_RC)] = opening_RC
    for (row, c), ids in cells.items():
        tokens_RC[starts[row] : starts[row] + len(ids), c] = ids
    learned_RC = _learned(table, starts, tokens_RC, layout)
    return TokenGrid(table.id, tokens_RC, learned_RC, meta=_meta(table, starts))


def _tokens_by_row(message: Message, codec: StreamCodec) -> Iterator[tuple[int, list[int]]]:
    """Tokens of a message by row of the table; a cell in which none begins has none.

    Where a model has no end token, a message ends when its channel goes silent: one row of silence
    follows it.
    """
    ids = codec.encode(message.text)
    num_bytes = accumulate(map(len, map(codec.token_bytes, ids[:-1])), initial=0)
    cell_starts = _byte_offsets(message)
    tokens: list[list[int]] = [[] for _ in message.rows]
    for token_id, at in zip(ids, num_bytes, strict=False):
        tokens[bisect_right(cell_starts, at) - 1].append(token_id)
    if message.is_ended:
        ending = codec.silence_id if codec.end_id is None else codec.end_id
        tokens[-1] += [] if ending is None else [ending]
    return zip(message.rows, tokens, strict=True)


def _byte_offsets(message: Message) -> list[int]:
    """At which byte of the text each cell starts."""
    ends = [*message.starts[1:], len(message.text)]
    texts = [message.text[a:b] for a, b in zip(message.starts, ends, strict=True)]
    return list(accumulate((len(text.encode("utf-8")) for text in texts[:-1]), initial=0))


def _learned(table: Table, starts: list[int], tokens_RC: Tokens, layout: Layout) -> Mask | None:
    """What is a target, if it is not simply every cell of the sampled channels."""
    unlearned = table.meta.get(UNLEARNED, [])
    if not unlearned and len(layout.opening_RC()) <= 1:
        return None
    learned_RC = np.ones(tokens_RC.shape, np.bool_)
    learned_RC[:, list(layout.input_indices)] = False
    learned_RC[: starts[0]] = False
    for name, first, last in _spans(unlearned, table, layout):
        learned_RC[starts[first] : starts[last + 1], layout.index(name)] = False
    return learned_RC


def _spans(unlearned: object, table: Table, layout: Layout) -> Iterable[tuple[str, int, int]]:
    spans = unlearned if isinstance(unlearned, list) else [unlearned]
    for span in spans:
        match span:
            case [str(name), int(first), int(last)] if (
                name in layout.names and 0 <= first <= last < table.num_rows
            ):
                yield name, first, last
            case _:
                raise DataError(
                    f"table {table.id}: meta.{UNLEARNED}",
                    expected="[channel, first row, last row] each", got=repr(span)[:60],
                )  # fmt: skip


def _meta(table: Table, starts: list[int]) -> Mapping[str, Any]:
    """As the table has it, but rows are those of the grid, and what is not learned is gone."""
    meta = {key: value for key, value in table.meta.items() if key != UNLEARNED}
    if PLANTED in meta:
        rows = meta[PLANTED]
        if not isinstance(rows, list) or not all(
            type(row) is int and 0 <= row < table.num_rows for row in rows
        ):
            raise DataError(
                f"table {table.id}: meta.{PLANTED}", expected=f"rows 0 to {table.num_rows - 1}",
                got=repr(rows)[:60],
            )  # fmt: skip
        meta[PLANTED] = [starts[row + 1] - 1 for row in rows]
    return meta
