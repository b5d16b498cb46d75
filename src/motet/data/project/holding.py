"""Holding back what copies words that are not read yet.

With wait-k a channel speaks while the User does, though it was written by somebody who knew all of
the message. A number or a longer word of it may then only be said once it has been read: a piece
waits for all that it takes over. That makes copies causal; what was concluded from the rest of the
message is for a judge (`motet data verify`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from motet.data.project.pieces import pieces_of
from motet.data.project.sheet import LAG

_TAKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[^\W\d_]{4,}")


class Heard:
    """From which row on the words of one channel can be known to the others."""

    def __init__(self) -> None:
        self._visible_from: dict[str, int] = {}

    def add(self, pieces: Sequence[str], first_row: int) -> None:
        """Pieces that the channel says, one a row; a word counts where it ends the first time."""
        for word, _, last in _words(pieces):
            self._visible_from.setdefault(word, first_row + last + LAG)

    def holds(self, pieces: Sequence[str]) -> list[int]:
        """For each piece the first row in which another channel may say it."""
        rows = [0] * len(pieces)
        for word, first, _ in _words(pieces):
            rows[first] = max(rows[first], self._visible_from.get(word, 0))
        return rows


def _words(pieces: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Numbers and words of four letters and more, each with its first and its last piece."""
    for match in _TAKEN.finditer("".join(pieces)):
        first, last = pieces_of(pieces, *match.span())
        yield match[0].rstrip(",").replace(",", "").lower(), first, last
