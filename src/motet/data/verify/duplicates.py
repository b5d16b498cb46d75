"""Conversations that repeat another one: exactly, or nearly.

    exact   the same words in every channel (spacing, capitals and rows aside)
    near    most runs of 5 words are the same: the sets' Jaccard similarity |A & B| / |A | B|
            reaches the threshold

Near ones are found by MinHash (Broder, 1997): of 128 random orders of all runs, the share in which
two sets have the same first run is their similarity, in expectation. Sets that agree in all rows of
at least one of 32 bands of 4 are compared (so that a pair of similarity 0.8 is compared with
probability 1 - (1 - 0.8^4)^32 > 0.99999), by the sets themselves: no estimate decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from motet.data.dice import key_of
from motet.data.permutation import scrambled
from motet.data.table import Table
from motet.data.verify.finding import Check, Finding
from motet.data.verify.words import Hashes, hash_of, run_hashes, texts_of, words_of
from motet.errors import SettingError

RUN_WORDS = 5
SIMILARITY = 0.8
NUM_BANDS = 32
BAND_ROWS = 4
_MOST_IN_BUCKET = 50
"""Of conversations that agree in a band; later ones are held against these."""


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """A conversation as its words tell it apart. whole: of all of them in order; runs: a set."""

    id: str
    whole: int
    runs: Hashes

    @classmethod
    def of(cls, table: Table) -> Fingerprint:
        """The fingerprint of a conversation."""
        words = [words_of(text) for text in texts_of(table)]
        whole = hash_of([word for channel in words for word in (*channel, "\n")])
        return cls(table.id, whole, runs_of(words))


class Duplicates:
    """Remembers what it is shown, and says which earlier conversation a new one repeats.

    similarity: from which on two are near duplicates, 0 to 1. It keeps about 10 bytes for every
    word; what repeats another is not kept.
    """

    def __init__(self, similarity: float = SIMILARITY) -> None:
        if not 0 < similarity <= 1:
            raise SettingError("similarity", expected="above 0, at most 1", got=similarity)
        self._similarity = similarity
        self._whole: dict[int, str] = {}
        self._kept: list[tuple[str, Hashes]] = []
        self._buckets: list[dict[bytes, list[int]]] = [defaultdict(list) for _ in range(NUM_BANDS)]

    def check(self, said: Fingerprint) -> Finding | None:
        """The first conversation that this one repeats, if any."""
        if (first := self._whole.get(said.whole)) is not None:
            return _finding("exact", said.id, first, "has the same words as")
        bands = _bands(said.runs)
        if (found := self._most_similar(said.runs, bands)) is not None:
            first, similarity = found
            return _finding(
                "near", said.id, first, f"has {similarity:.2f} of its runs in common with"
            )
        self._whole[said.whole] = said.id
        self._kept.append((said.id, said.runs))
        for bucket in self._buckets_of(bands):
            if len(bucket) < _MOST_IN_BUCKET:
                bucket.append(len(self._kept) - 1)
        return None

    def _most_similar(self, runs: Hashes, bands: list[bytes]) -> tuple[str, float] | None:
        candidates = {number for bucket in self._buckets_of(bands) for number in bucket}
        found = [(jaccard(runs, self._kept[number][1]), -number) for number in candidates]
        similarity, number = max(found, default=(0.0, 0))
        return (self._kept[-number][0], similarity) if similarity >= self._similarity else None

    def _buckets_of(self, bands: list[bytes]) -> Iterator[list[int]]:
        for buckets, band in zip(self._buckets, bands, strict=True):
            yield buckets[band]


def runs_of(words: list[list[str]]) -> Hashes:
    """The set of all runs of words, of all channels; of a channel with fewer words, all of them."""
    hashes = [run_hashes(said, min(RUN_WORDS, len(said))) for said in words if said]
    return np.unique(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)


def jaccard(a: Hashes, b: Hashes) -> float:
    """|A & B| / |A | B| of two sets; 1 for two empty ones."""
    num_both = len(np.intersect1d(a, b, assume_unique=True))
    num_either = len(a) + len(b) - num_both
    return num_both / num_either if num_either else 1.0


def signature(runs: Hashes) -> Hashes:
    """MinHash [NUM_BANDS * BAND_ROWS] of a set."""
    if not len(runs):
        return np.zeros(len(_ORDERS), np.uint64)
    return np.asarray(scrambled(runs[None, :] ^ _ORDERS[:, None]).min(axis=1))


def _bands(runs: Hashes) -> list[bytes]:
    return [band.tobytes() for band in signature(runs).reshape(NUM_BANDS, BAND_ROWS)]


def _finding(kind: str, name: str, first: str, how: str) -> Finding:
    return Finding(Check.DUPLICATES, kind, name, f"{how} {first}", other=first)


_ORDERS = np.array([key_of("minhash", i) for i in range(NUM_BANDS * BAND_ROWS)], np.uint64)
