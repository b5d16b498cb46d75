"""What a language model wrote, read as rows: leniently where its meaning is plain, else dropped.

    {"User": "Tom has 3"}                         one row a line, silent channels left out
    {"User": " apples.<end>", "Think": "3"}       <end> behind the last piece of a message

Every repair has a name, so that a corpus says how much of it was mended:

    thinking   reasoning in front of the answer was left out
    fence      rows stood between ``` marks
    prose      lines before or behind the rows were left out
    array      rows stood in one JSON list, or in an object around it
    comma      commas stood between rows
    lists      rows were lists of cells in the order of the channels
    numbered   rows carried their number
    names      channels were spelled in other letters
    numbers    a cell was a JSON number
    dashes     silence was written "-" throughout
    spaces     pieces of a message were written without the space between them
    ends       the last message of a channel lacked its <end>
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from motet.corpora.dropping import Dropped, DroppedError
from motet.corpora.mending import with_ends, with_spaces, without_dashes
from motet.data.table import Cell, Row

__all__ = ["END_MARK", "Written", "read_written"]

END_MARK = "<end>"
_ROW_NUMBERS = ("row", "step", "t", "time", "index")
_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_SCRAP = re.compile(r'[{\[]"|"[}\]]|":\s*"')  # of a row, not of prose
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Written:
    """rows [R][C], and the names of the repairs that they took, sorted."""

    rows: tuple[Row, ...]
    repairs: tuple[str, ...]


class _Number(str):
    """A JSON number, as it was written."""


class _Objects(list[tuple[str, Any]]):
    """The pairs of a JSON object, a key that comes twice included."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Objects, parse_int=_Number, parse_float=_Number, parse_constant=_Number
)


def read_written(text: str, channels: Sequence[str]) -> Written:
    """The rows in an answer; DroppedError if they cannot be made out without guessing.

    channels: names, in order.
    """
    repairs: set[str] = set()
    found = _found_rows(_body(text, repairs), repairs)
    rows = [_row(item, channels, number, repairs) for number, item in enumerate(found, start=1)]
    for mend in (without_dashes, with_spaces, with_ends):
        rows, name = mend(rows)
        repairs |= {name} if name else set()
    return Written(tuple(rows), tuple(sorted(repairs)))


def _body(text: str, repairs: set[str]) -> str:
    """The answer without reasoning and fences."""
    body = _THINKING.sub("", text, count=1)
    if body != text:
        repairs.add("thinking")
    fenced = [match[1] for match in _FENCED.finditer(body) if "{" in match[1] or "[" in match[1]]
    if fenced:
        repairs.add("fence")
        return max(fenced, key=len)
    return body


def _found_rows(body: str, repairs: set[str]) -> list[Any]:
    """The JSON values that stand for rows, and nothing but prose around them."""
    items: list[Any] = []
    end = 0
    for start, item, stop in _values(body):
        between = body[end:start].strip()
        if "," in between and not between.strip(","):
            repairs.add("comma")
        elif between and (items or _SCRAP.search(between)):
            raise DroppedError(Dropped.BROKEN_ROW, f"behind row {len(items)}: {between[:60]!r}")
        elif between:
            repairs.add("prose")
        items.append(item)
        end = stop
    rest = body[end:].strip().strip(",")
    if not items:
        raise DroppedError(Dropped.NO_ROWS, repr(rest[:60]))
    if _SCRAP.search(rest):
        raise DroppedError(Dropped.BROKEN_ROW, f"behind row {len(items)}: {rest[:60]!r}")
    if rest:
        repairs.add("prose")
    if len(items) == 1 and (rows := _rows_of(items[0])) is not None:
        repairs.add("array")
        return rows
    return items


def _values(body: str) -> Iterator[tuple[int, Any, int]]:
    """JSON objects and lists where a line or another value lets them begin: start, value, end."""
    position = 0
    while position < len(body):
        if body[position] in " \t\r\n,":
            position += 1
            continue
        if body[position] in "{[":
            try:
                value, stop = _DECODER.raw_decode(body, position)
            except RecursionError:
                raise DroppedError(Dropped.BROKEN_ROW, "lists in lists without end") from None
            except ValueError:
                pass
            else:
                yield position, value, stop
                position = stop
                continue
        position = body.find("\n", position) + 1 or len(body)


def _rows_of(value: Any) -> list[Any] | None:
    """The rows of a list of rows, or of an object that holds one list of rows; else None."""
    if isinstance(value, _Objects):
        inner = [item for _, item in value if isinstance(item, list) and _is_rows(item)]
        return inner[0] if len(inner) == 1 else None
    return value if _is_rows(value) else None


def _is_rows(value: list[Any]) -> bool:
    is_plain = not isinstance(value, _Objects)
    return is_plain and bool(value) and all(isinstance(item, list) for item in value)


def _row(item: Any, channels: Sequence[str], number: int, repairs: set[str]) -> Row:
    where = f"row {number}"
    if not isinstance(item, _Objects):
        if len(item) != len(channels):
            raise DroppedError(
                Dropped.WRONG_WIDTH, f"{where}: {len(item)} cells, not {len(channels)}"
            )
        repairs.add("lists")
        return tuple(_cell(value, where, repairs) for value in item)
    cells: dict[str, Cell | None] = {}
    for key, value in item:
        if key not in channels and key.lower() in _ROW_NUMBERS and isinstance(value, _Number):
            repairs.add("numbered")
            continue
        name = _channel(key, channels, where, repairs)
        if name in cells:
            raise DroppedError(Dropped.BROKEN_ROW, f"{where}: {name} comes twice")
        cells[name] = _cell(value, where, repairs)
    return tuple(cells.get(name) for name in channels)


def _channel(key: str, channels: Sequence[str], where: str, repairs: set[str]) -> str:
    if key in channels:
        return key
    alike = [name for name in channels if name.casefold() == key.strip().casefold()]
    if len(alike) != 1:
        raise DroppedError(Dropped.UNKNOWN_CHANNEL, f"{where}: {key[:40]!r}")
    repairs.add("names")
    return alike[0]


def _cell(value: Any, where: str, repairs: set[str]) -> Cell | None:
    if value is None or value == "":
        return None
    if isinstance(value, _Number):
        repairs.add("numbers")
    elif not isinstance(value, str):
        shown = json.dumps(value)[:40]
        raise DroppedError(Dropped.BAD_CELL, f"{where}: {shown} is no text")
    text = str(value)
    if control := _CONTROL.search(text):
        raise DroppedError(Dropped.BAD_CELL, f"{where}: U+{ord(control[0]):04X}")
    bare = text.rstrip().removesuffix(END_MARK)
    is_end = bare != text.rstrip()
    said = bare if is_end else text
    if END_MARK in said:
        raise DroppedError(Dropped.END_INSIDE, f"{where}: {text[:40]!r}")
    return Cell(said, is_end)
