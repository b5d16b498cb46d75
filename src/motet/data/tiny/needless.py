"""Sentences with a number that has nothing to do with the question.

A needless number misleads a small model more than anything else, so some problems get a sentence of
needless.txt: one that speaks of nobody between any two sentences, one about a person (a line that
begins with "<") in front only, where it can't be taken for a part of the story.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from importlib.resources import files
from random import Random

from motet.data.tiny.lines import Task
from motet.data.tiny.number_words import in_words
from motet.data.tiny.problems import fill_picks
from motet.data.tiny.stock import PEOPLE

__all__ = ["Needless"]

_IN_FRONT_ONLY = "< "
_BETWEEN = re.compile(r"(?<=[.!?]) (?=[A-Z0-9])")
_WORD = re.compile(r"[a-z]{4,}")
_NUMBER = re.compile(r"\{[nm]\}")
_NUMBERS = (2, 60)
_SHARE_IN_WORDS = 0.25


@dataclass(frozen=True, slots=True)
class Needless:
    """anywhere: sentences that may stand before any other. in_front: those that stand first."""

    anywhere: tuple[str, ...]
    in_front: tuple[str, ...]

    @classmethod
    def of_package(cls) -> Needless:
        """The sentences of needless.txt."""
        lines = (files("motet.data.tiny") / "needless.txt").read_text("utf-8").splitlines()
        in_front = [line for line in lines if line.startswith(_IN_FRONT_ONLY)]
        return cls(
            tuple(line for line in lines if line not in in_front),
            tuple(line.removeprefix(_IN_FRONT_ONLY) for line in in_front),
        )

    def add(self, task: Task, rng: Random) -> Task:
        """Put a sentence into the question that shares no longer word with it."""
        chosen = rng.choice(self.anywhere + self.in_front)
        sentence = self._fill(chosen, rng)
        if set(_WORD.findall(sentence)) & set(_WORD.findall(task.question.lower())):
            return self.add(task, rng)
        parts = _BETWEEN.split(task.question)
        place = 0 if chosen in self.in_front else rng.randrange(len(parts))
        question = " ".join([*parts[:place], sentence, *parts[place:]])
        return dataclasses.replace(task, question=question)

    def _fill(self, sentence: str, rng: Random) -> str:
        def number(_: re.Match[str]) -> str:
            value = rng.randint(*_NUMBERS)
            return in_words(value) if rng.random() < _SHARE_IN_WORDS else str(value)

        filled = _NUMBER.sub(number, fill_picks(sentence, rng))
        return filled.replace("{p}", rng.choice(PEOPLE).name)
