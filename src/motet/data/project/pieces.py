"""Text cut into pieces, one a row: a word with the space before it.

What is written without spaces is cut as well, so that no row says a whole text. Where a cut falls
inside a word does not matter: messages are tokenised whole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

MAX_CHARACTERS = 16
_PIECE = re.compile(rf"\s*\S{{1,{MAX_CHARACTERS}}}|\s+\Z")


def pieces(text: str) -> list[str]:
    """Pieces that concatenate to `text`."""
    return _PIECE.findall(text)


def pieces_of(said: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """The first and the last of the pieces that say the characters `start` to `stop` - 1."""
    starts = list(accumulate(map(len, said[:-1]), initial=0))
    return bisect_right(starts, start) - 1, bisect_right(starts, stop - 1) - 1
