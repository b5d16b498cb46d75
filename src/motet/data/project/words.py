"""Columns of words, as people and models write tables: a word or a phrase a cell, `-` for silence.

Such columns have no spaces between cells, so a cell gets one in front if its channel has said
something of the message before, unless it begins with punctuation that belongs to the word before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from motet.data.table import Cell

SILENT_WORDS = frozenset({"", "-"})
_JOINED = re.compile(r"[.,;:!?)\]}%]|['’]\w")
_OPENING = ("(", "[", "{", "$")


def cells_of_words(words: Sequence[str | None], end_after: int | None) -> list[Cell | None]:
    """The cells of a column. end_after: see `message_ends`."""
    stripped = [(word or "").strip() for word in words]
    texts = [None if word in SILENT_WORDS else word for word in stripped]
    ends = set(message_ends([text is not None for text in texts], end_after))
    cells: list[Cell | None] = []
    before = ""
    for row, text in enumerate(texts):
        if text is None:
            cells.append(None)
            continue
        is_joined = not before or before.endswith(_OPENING) or _JOINED.match(text)
        cells.append(Cell(text if is_joined else f" {text}", row in ends))
        before = "" if row in ends else text
    return cells


def message_ends(speaks: Sequence[bool], end_after: int | None) -> list[int]:
    """The rows of a column with which messages end: `end_after` rows of silence or the end follow.

    None: tables do not say where messages end, so none does.
    """
    if end_after is None:
        return []
    spoken = [row for row, is_speaking in enumerate(speaks) if is_speaking]
    following = [*spoken[1:], len(speaks) + end_after]
    pairs = zip(spoken, following, strict=False)
    return [row for row, after in pairs if after - row > end_after]
