"""The numbers that a text says in words: "twenty-five", "one hundred and three", "two dozen".

Read only where a text has no digits, since "one" and "none" are pronouns as often as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from motet.data.tiny.number_words import in_words
from motet.eval.questions.numbers import SCALES

__all__ = ["words_in"]

_SMALL = {in_words(n): n for n in (*range(20), *range(20, 100, 10))}
_NOTHING = ("none", "nothing")
_SCALES = SCALES | {"dozen": 12}
_TOKEN = re.compile(r"[A-Za-z]+|[^A-Za-z\s-]|\s-\s")
_SIGNS = ("minus", "negative")
_PRONOUNS = ("no", "any", "some", "every", "each", "the", "this", "that", "which", "another")


def words_in(text: str) -> Iterator[Fraction]:
    """Values of the numbers in words, left to right."""
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    place = 0
    while place < len(tokens):
        value, length = _number(tokens[place:])
        before = tokens[place - 1] if place else ""
        is_pronoun = length == 1 and tokens[place] == "one" and before in _PRONOUNS
        if length and not is_pronoun:
            yield -value if before in _SIGNS else value
        place += max(length, 1)


def _number(tokens: Sequence[str]) -> tuple[Fraction, int]:
    """The number that `tokens` begin with, and how many of them it takes: 0 if there is none.

    room: what may be added must be less; 100 at first and after a scale, 10 after twenty, then 1.
    """
    if tokens[0] in _NOTHING:
        return Fraction(0), 1
    if list(tokens[:2]) == ["half", "a"] and tokens[2:3] and tokens[2] in _SCALES:
        return Fraction(_SCALES[tokens[2]], 2), 3
    total, below, room, length, place = 0, 0, 100, 0, 0
    if tokens[0] == "a" and tokens[1:2] and tokens[1] in _SCALES:
        below, room, place = 1, 1, 1
    while place < len(tokens):
        token = tokens[place]
        if token in _SMALL and (room == 100 or 0 < _SMALL[token] < room):
            below += _SMALL[token]
            room = 10 if _SMALL[token] >= 20 else 1
        elif token in _SCALES and below:
            scale, room = _SCALES[token], 100
            total, below = (total, below * scale) if scale < 1000 else (total + below * scale, 0)
        elif not (token == "and" and length and room == 100 and _follows_small(tokens, place)):
            break
        else:
            place += 1
            continue
        place += 1
        length = place
    tail, tail_length = _tail(tokens[length:]) if length else (Fraction(0), 0)
    return Fraction(total + below) + tail, length + tail_length


def _follows_small(tokens: Sequence[str], place: int) -> bool:
    return place + 1 < len(tokens) and tokens[place + 1] in _SMALL


def _tail(tokens: Sequence[str]) -> tuple[Fraction, int]:
    """What "and a half" and "point five" add."""
    if list(tokens[:3]) == ["and", "a", "half"]:
        return Fraction(1, 2), 3
    if not tokens or tokens[0] != "point":
        return Fraction(0), 0
    digits = ""
    for token in tokens[1:]:
        if _SMALL.get(token, 10) > 9:
            break
        digits += str(_SMALL[token])
    return (Fraction(f"0.{digits}"), 1 + len(digits)) if digits else (Fraction(0), 0)
