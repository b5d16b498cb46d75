"""The lines of `motet run --input`: one JSON object each, with an id and a text.

Lines are read as they are needed. The first one that is not what it should be raises an InputError
that names file and line; other keys of an object are not looked at, blank lines are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from motet.errors import InputError

Identifier = str | int


@dataclass(frozen=True)
class Item:
    """One line of the input; `where` names it in messages."""

    where: str
    id: Identifier
    text: str


def read_items(path: Path) -> Iterator[Item]:
    """The items of a JSONL file, in order; InputError at the first broken line."""
    seen: dict[Identifier, int] = {}
    with path.open("rb") as file:
        for line_number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            item = parse_item(line, f"{path}:{line_number}")
            if item.id in seen:
                raise InputError(
                    item.where, expected="a new id", got=f"{item.id!r} of line {seen[item.id]}"
                )
            seen[item.id] = line_number
            yield item


def parse_item(line: bytes, where: str) -> Item:
    """One line, strictly; InputError if it is not UTF-8, not JSON, or not an item."""
    try:
        data = json.loads(line.rstrip(b"\r\n").decode("utf-8"))
    except json.JSONDecodeError as error:
        got = f"{error.msg} (column {error.colno})"
        raise InputError(where, expected='JSON {"id", "text"}', got=got) from None
    except UnicodeDecodeError as error:
        got = f"byte 0x{line[error.start]:02x} at position {error.start}"
        raise InputError(where, expected="UTF-8", got=got) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, deep nesting
        raise InputError(where, expected='JSON {"id", "text"}', got=error) from None
    if not isinstance(data, dict):
        raise InputError(where, expected='an object {"id", "text"}', got=_shown(data))
    for key in ("id", "text"):
        if key not in data:
            raise InputError(where, expected='"id" and "text"', got=f"no {key!r}")
    id_, text = data["id"], data["text"]
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise InputError(f"{where}: id", expected="a string or an integer", got=_shown(id_))
    if not isinstance(text, str):
        raise InputError(f"{where}: text", expected="a string", got=_shown(text))
    for key, value in (("id", id_), ("text", text)):
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            raise InputError(
                f"{where}: {key}", expected="Unicode without lone surrogates", got=_shown(value)
            )
    return Item(where, id_, text)


def count_lines(path: Path) -> int:
    """Lines that hold something."""
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:60] + "..."
