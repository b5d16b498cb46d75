"""Text as words, for comparing: lower case, letters and digits only, runs of n of them hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motet.data.table import Table
from motet.data.verify.messages import messages_of

Hashes = NDArray[np.uint64]

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NUMBER_MARK = "0"


def words_of(text: str, *, mask_numbers: bool = False) -> list[str]:
    """The words of a text; with `mask_numbers` every number is the same word."""
    text = text.casefold()
    return _WORD.findall(_NUMBER.sub(NUMBER_MARK, text) if mask_numbers else text)


def texts_of(table: Table) -> list[str]:
    """All that each channel says, by channel; messages on lines of their own."""
    return [
        "\n".join(message.text for message in messages_of(table, channel))
        for channel in range(len(table.channels))
    ]


def hash_of(words: Sequence[str]) -> int:
    """64 bits of a run of words; the same on every machine and in every process."""
    digest = hashlib.blake2b(" ".join(words).encode("utf-8", "replace"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def run_hashes(words: Sequence[str], num_words: int) -> Hashes:
    """Hashes of all runs of `num_words` words, in order; none if there are fewer words."""
    num_runs = len(words) - num_words + 1
    runs = (hash_of(words[i : i + num_words]) for i in range(num_runs))
    return np.fromiter(runs, np.uint64, max(num_runs, 0))
