"""Rows as JSON text, written directly.

Rows are nearly all that a server says, sixty times a second and session. The text is exactly what
`Rows(...).model_dump_json()` would give, at a tenth of its cost.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from motet.protocol.row import Row

_quoted = json.JSONEncoder(ensure_ascii=False).encode
_flags: dict[tuple[bool, ...], str] = {}


def rows_json(seq: int, num_rows: int, rows: Sequence[Row]) -> str:
    """The JSON of a `rows` event; num_rows: how many rows the session has with these."""
    frames = ",".join(map(_frame, rows))
    return f'{{"seq":{seq},"row":{num_rows},"type":"rows","rows":[{frames}]}}'


def _frame(row: Row) -> str:
    ids = ",".join(map(str, row.token_ids))
    text = ",".join([_quoted(delta) if delta else '""' for delta in row.deltas])
    return (
        f'{{"index":{row.index},"ids":[{ids}],"text":[{text}],'
        f'"silent":[{_written(row.silent)}],"given":[{_written(row.given)}]}}'
    )


def _written(flags: tuple[bool, ...]) -> str:
    if flags not in _flags:
        _flags[flags] = ",".join("true" if flag else "false" for flag in flags)
    return _flags[flags]
