"""Questions put to a model, many at a time, and where in its rows something was said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from motet.engine import Engine, Session, Settings

BATCH_SIZE = 32
CONTEXT_ROWS = 1_024

Asked = Session[Any]


def asked(engine: Engine[Any], settings: Settings, texts: Iterable[str]) -> Iterator[list[Asked]]:
    """Sessions with one message each, in batches; nothing has been read yet."""
    rest = iter(texts)
    context_rows = min(CONTEXT_ROWS, engine.runtime.context_rows)
    while batch := list(islice(rest, BATCH_SIZE)):
        sessions = [engine.open(settings, context_rows=context_rows) for _ in batch]
        for session, text in zip(sessions, batch, strict=True):
            session.give(text)
        yield sessions


def said_since(session: Asked, channel: str, row: int) -> str:
    """What a channel has said from `row` on."""
    index = session.layout.index(channel)
    return session.codec.text(r.token_ids[index] for r in session.rows[row:])


def rows_of_characters(session: Asked, channel: str) -> tuple[str, list[int]]:
    """What a channel has said, and for each character the row that completed it."""
    index = session.layout.index(channel)
    deltas = [row.deltas[index] for row in session.rows]
    rows = [row for row, delta in enumerate(deltas) for _ in delta]
    return "".join(deltas), rows


def last_input_row(session: Asked) -> int:
    """The last row in which an input channel spoke; -1 if none has."""
    inputs: Sequence[int] = session.layout.input_indices
    spoken = (row.index for row in session.rows if not all(row.silent[i] for i in inputs))
    return max(spoken, default=-1)
