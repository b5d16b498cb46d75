"""Disguise a problem, so that its template can't be known by one rare word.

A model that meets "gnomes" in one template only has learned that template by its gnomes, and is
lost where someone else tells the same story of otters. So now and then the rare words of a question
are exchanged for others: ordinary words for words of words.txt (from the questions of GSM8K's
training split, MIT licence), names for names. A few common words are exchanged too, so that no
problem hangs on a single one (word dropout). Words that the reply repeats, numbers and words of
quantity stay.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from random import Random

from motet.data.tiny.lines import Task
from motet.data.tiny.number_words import find_numbers
from motet.data.tiny.stock import PEOPLE
from motet.data.tiny.templates import Template

__all__ = ["Disguise"]

_WORD = re.compile(r"[A-Za-z]{3,}")
_SLOT = re.compile(r"\{[^}]*\}")
_MAX_TEMPLATES_OF_RARE = 6
_SHARE_OF_RARE_WORDS = 0.35
_SHARE_OF_COMMON_WORDS = 0.03
_QUANTITY = frozenset(
    word
    for line in (
        "half halves halved twice thrice double doubles doubled triple triples tripled quarter",
        "quarters third thirds fourth dozen dozens pair pairs couple week weeks weekly year",
        "years yearly daily month months monthly hour hours hourly minute minutes equal equally",
        "evenly sum product total difference less fewer more than left remain remains remaining",
        "rest altogether together apiece single",
    )
    for word in line.split()
)


@dataclass(frozen=True, slots=True)
class Disguise:
    """rare: words of few templates, in lower case. others: words to put in their place."""

    rare: frozenset[str]
    others: tuple[str, ...]

    @classmethod
    def of_templates(cls, templates: Iterable[Template]) -> Disguise:
        """What is rare is counted over `templates`."""
        counts: Counter[str] = Counter()
        for template in templates:
            counts.update({w.lower() for w in _WORD.findall(_SLOT.sub("", template.question))})
        rare = {word for word, count in counts.items() if count <= _MAX_TEMPLATES_OF_RARE}
        text = (files("motet.data.tiny") / "words.txt").read_text("utf-8")
        return cls(frozenset(rare), tuple(text.split()))

    def exchange_words(self, task: Task, rng: Random) -> Task:
        """A third of the rare words of the question, and a few others, become other words."""
        kept = {word.lower() for word in _WORD.findall(task.reply)}
        exchanged: dict[str, str] = {}

        def exchange(match: re.Match[str]) -> str:
            word = match[0]
            if word not in exchanged:
                lower = word.lower()
                stays = lower in kept or lower in _QUANTITY or any(find_numbers(word))
                share = _SHARE_OF_RARE_WORDS if lower in self.rare else _SHARE_OF_COMMON_WORDS
                chosen = not stays and rng.random() < share
                exchanged[word] = self._other(word, rng) if chosen else word
            return exchanged[word]

        return dataclasses.replace(task, question=_WORD.sub(exchange, task.question))

    def _other(self, word: str, rng: Random) -> str:
        if word[0].islower():
            return rng.choice(self.others)
        if word.lower() in self.others:
            return rng.choice(self.others).capitalize()
        return rng.choice(PEOPLE).name
