"""The columns of a record of a stream table, whatever form it has.

    {"token_ids": [[...], ...]}           a list of tokens a channel, [C][R]
    {"rows": [["Hi", "-"], ...]}          a list of words a row, [R][C]
    {"User": [...], "Output": [...]}      a list of words or tokens a channel, by name

The last is how the stream-data corpus is published (JonasGeiping/stream-data on Hugging Face,
Apache-2.0), the first how row-synchronous trainers write it. `num_rows`, where there is one, must
be what the columns have. "channels" or "channel_names" gives names to the first two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from motet.data.project.corpus import Entry
from motet.errors import DataError

__all__ = ["check_num_rows", "column_of", "named_columns", "number_of"]


def named_columns(entry: Entry) -> dict[str, list[Any]]:
    """The columns by name, or by number where the record names none; DataError if it has none."""
    data = entry.data
    if "token_ids" in data:
        columns = _lists(data["token_ids"], f"{entry.where}: token_ids")
        names = _names(entry, len(columns))
    elif "rows" in data:
        rows = _lists(data["rows"], f"{entry.where}: rows")
        width = len(rows[0]) if rows else 0
        for r, row in enumerate(rows):
            if len(row) != width:
                raise DataError(
                    f"{entry.where}: rows[{r}]", expected=f"{width} cells", got=len(row)
                )
        columns = [[row[c] for row in rows] for c in range(width)]
        names = _names(entry, width)
    else:
        by_name = {key: value for key, value in data.items() if isinstance(value, list)}
        names, columns = list(by_name), list(by_name.values())
    if not columns:
        raise DataError(entry.where, expected="token_ids, rows, or a list a channel", got="none")
    return dict(zip(names, columns, strict=True))


def column_of(columns: dict[str, list[Any]], source: str, where: str) -> list[Any]:
    """The column that is called `source`, or has that number; DataError if there is none."""
    return list(columns.values())[number_of(list(columns), source, where)]


def number_of(names: Sequence[str], source: str, where: str) -> int:
    """Which of the channels called `names` a choice means: by name, else by number."""
    if source in names:
        return names.index(source)
    if source.isdecimal() and int(source) < len(names):
        return int(source)
    expected = f"one of {', '.join(names)}"[:200]
    raise DataError(f"{where}: channel", expected=expected, got=repr(source))


def check_num_rows(entry: Entry, columns: Sequence[Sequence[Any]]) -> None:
    """DataError if the columns are not equally long, or not as long as the record says."""
    lengths = {len(column) for column in columns}
    stated = entry.data.get("num_rows")
    if stated is not None:
        lengths.add(stated)
    if len(lengths) > 1:
        got = ", ".join(map(str, sorted(lengths, key=str)))
        raise DataError(f"{entry.where}: num_rows", expected="as many in every channel", got=got)


def _names(entry: Entry, num_channels: int) -> list[str]:
    names = entry.data.get("channels", entry.data.get("channel_names"))
    if names is None:
        return [str(c) for c in range(num_channels)]
    if not isinstance(names, list) or len({*map(str, names)}) != num_channels:
        raise DataError(
            f"{entry.where}: channels",
            expected=f"{num_channels} distinct names",
            got=str(names)[:80],
        )
    return list(map(str, names))


def _lists(data: object, where: str) -> list[list[Any]]:
    if not isinstance(data, list) or not all(isinstance(item, list) for item in data):
        raise DataError(where, expected="a list of lists", got=repr(data)[:60])
    return data
