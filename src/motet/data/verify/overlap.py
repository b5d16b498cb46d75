"""Conversations that repeat an evaluation set: by runs of n words (n-gram decontamination).

A conversation overlaps with an item if it says any run of n words of it; an item of fewer words is
met by all of them in a row, if there are at least 5: fewer occur by chance. With masked numbers the
same problem with other numbers is met too. n = 13 is what GPT-3 used (Brown et al., 2020,
appendix C); for short word problems 8 finds more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from motet.data.table import Table
from motet.data.verify.finding import Check, Finding
from motet.data.verify.words import run_hashes, texts_of, words_of
from motet.errors import DataError, SettingError

NUM_WORDS = 13
LEAST_WORDS = 5
FIELDS = ("question", "problem", "prompt", "text", "input")
"""Where the text of an item is looked for, in this order, if no field is named."""


@dataclass(frozen=True, slots=True)
class Item:
    """One text of an evaluation set; `where` names it in findings."""

    where: str
    text: str


class Evaluations:
    """The runs of words of evaluation sets.

    num_short: items of fewer words than can be told from chance; they are never met.
    """

    def __init__(
        self, items: Iterable[Item], num_words: int = NUM_WORDS, *, mask_numbers: bool = False
    ) -> None:
        if num_words < LEAST_WORDS:
            raise SettingError("words of a run", expected=f"at least {LEAST_WORDS}", got=num_words)
        self.num_words = num_words
        self.mask_numbers = mask_numbers
        self.num_items = self.num_short = 0
        self._by_length: dict[int, dict[int, str]] = {}
        for item in items:
            self.num_items += 1
            words = words_of(item.text, mask_numbers=mask_numbers)
            if len(words) < LEAST_WORDS:
                self.num_short += 1
                continue
            length = min(num_words, len(words))
            known = self._by_length.setdefault(length, {})
            for run in run_hashes(words, length).tolist():
                known.setdefault(run, item.where)

    def check(self, table: Table) -> Finding | None:
        """The first item that a conversation overlaps with, and the words, if there is one."""
        for channel, text in zip(table.channels, texts_of(table), strict=True):
            words = words_of(text, mask_numbers=self.mask_numbers)
            for length, known in sorted(self._by_length.items(), reverse=True):
                for start, run in enumerate(run_hashes(words, length).tolist()):
                    if run in known:
                        said = " ".join(words[start : start + length])
                        return Finding(
                            Check.OVERLAP, "ngram", table.id,
                            f"{length} words of {known[run]}: {said!r}", channel.name,
                            other=known[run],
                        )  # fmt: skip
        return None


def read_evaluations(paths: Iterable[Path], field: str | None = None) -> Iterator[Item]:
    """The texts of several evaluation sets."""
    for path in paths:
        yield from read_items(path, field)


def read_items(path: Path, field: str | None = None) -> Iterator[Item]:
    """The texts of an evaluation set: a file of JSON lines, or of plain lines.

    field: where the text is in each object. DataError with file, line and field if it is not there.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError("evaluation set", expected=str(path), got=error.strerror) from None
    except UnicodeDecodeError as error:
        raise DataError(str(path), expected="UTF-8", got=error) from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            where = f"{path.name}:{number}"
            is_json = path.suffix in (".jsonl", ".json", ".ndjson")
            yield Item(where, _text(line, field, where) if is_json else line)


def _text(line: str, field: str | None, where: str) -> str:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(where, expected="JSON", got=error) from None
    if not isinstance(data, dict):
        raise DataError(where, expected="an object", got=type(data).__name__)
    fields = FIELDS if field is None else (field,)
    for name in fields:
        if isinstance(data.get(name), str):
            return str(data[name])
    raise DataError(
        where, expected=f"a text in {' or '.join(fields)}", got=f"fields {', '.join(data)[:60]}",
        fix="name the field",
    )  # fmt: skip
