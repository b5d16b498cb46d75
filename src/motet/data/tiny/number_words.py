"""Numbers as they stand in a question: "47", "1,200", "seven", "twenty-five", "a dozen".

"one" is left alone: it is a pronoun as often as a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["NumberSpan", "find_numbers", "in_words"]

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_VALUES = {word: value for value, word in enumerate(_ONES) if value != 1} | _TENS | {"dozen": 12}

_TEN_WORD = "|".join(_TENS)
_UNIT_WORD = "|".join(_ONES[1:10])
_NUMBER = re.compile(
    rf"(?P<digits>\d+(?:,\d{{3}}\b)*)|\b(?P<ten>{_TEN_WORD})-(?P<unit>{_UNIT_WORD})\b|\b(?P<word>{'|'.join(_VALUES)})\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """A number read in a text: characters [start, end) and its value."""

    start: int
    end: int
    value: int


def find_numbers(text: str) -> Iterator[NumberSpan]:
    """Every number of `text`, left to right."""
    for match in _NUMBER.finditer(text):
        if digits := match["digits"]:
            value = int(digits.replace(",", ""))
        elif word := match["word"]:
            value = _VALUES[word.lower()]
        else:
            value = _TENS[match["ten"].lower()] + _ONES.index(match["unit"].lower())
        yield NumberSpan(match.start(), match.end(), value)


def in_words(n: int) -> str:
    """0..99 in English words."""
    if n < len(_ONES):
        return _ONES[n]
    for word, ten in _TENS.items():
        if 0 <= n - ten < 10:
            return word if n == ten else f"{word}-{_ONES[n - ten]}"
    raise ValueError(f"{n} is not in 0..99")
