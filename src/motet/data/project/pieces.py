"""Text cut into pieces, one a row: a word with the space before it.

Scripts that are written without spaces are cut after a few characters, and so is whatever else has
none for long, so that no row says a whole text. Where a cut falls does not matter to a model:
messages are tokenised whole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

MAX_CHARACTERS = 40
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PIECE = re.compile(rf"\s*(?:[{_UNSPACED}]{{1,4}}|[^\s{_UNSPACED}]{{1,{MAX_CHARACTERS}}})|\s+\Z")


def pieces(text: str) -> list[str]:
    """Pieces that concatenate to `text`."""
    return _PIECE.findall(text)


def pieces_of(said: Sequence[str], start: int, stop: int) -> tuple[int, int]:
    """The first and the last of the pieces that say the characters `start` to `stop` - 1."""
    starts = list(accumulate(map(len, said[:-1]), initial=0))
    return bisect_right(starts, start) - 1, bisect_right(starts, stop - 1) - 1
