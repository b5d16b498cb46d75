"""What a reply gives as its answer: found where it was marked, else the last number it says.

boxed    \\boxed{18}, the last one
hashes   #### 18, the last one
stated   "The answer is 6 * 3 = 18 dollars.": the last such clause; what is behind its "="
last     the last number in digits
words    the last number in words, of a reply without digits
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from motet.eval.questions.numbers import numbers_in
from motet.eval.questions.words import words_in

__all__ = ["Found", "Place", "find_choice", "find_number", "statement", "words_of"]

_STATED = re.compile(
    r"\banswer\b(?:\s+(?:is|was|would\s+be|equals|comes\s+to))?\s*:?\s*(?P<clause>[^\n]*)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?:[\s*\"')\]]|$)")
_LATEX = (
    ("{,}", ","), (r"\,", ""), (r"\!", ""), (r"\;", " "), (r"\$", "$"), (r"\%", "%"),
    (r"\(", " "), (r"\)", " "), (r"\[", " "), (r"\]", " "), (r"\times", "×"), (r"\cdot", "×"),
)  # fmt: skip
_LATEX_TEXT = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}")
_CHOICE = re.compile(r"(?<![A-Za-z'])([A-J])(?![A-Za-z'])")
_WORD = re.compile(r"[^\W_]+")


class Place(StrEnum):
    """Where an answer was found."""

    BOXED = "boxed"
    HASHES = "hashes"
    STATED = "stated"
    LAST = "last"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Found:
    """A number that a reply gives as its answer."""

    value: Fraction
    place: Place


def find_number(reply: str) -> Found | None:
    """The number that a reply gives as its answer; None if it says no number at all."""
    text = _plain(reply)
    for place, marked in _marked(text):
        if (value := _of_clause(marked)) is not None:
            return Found(value, place)
    if numbers := list(numbers_in(text)):
        return Found(numbers[-1].value, Place.LAST)
    words = list(words_in(text))
    return Found(words[-1], Place.WORDS) if words else None


def find_choice(reply: str) -> str | None:
    """The capital letter, A to J, that a reply gives as its answer; "A dog" gives none."""
    for text in (*(marked for _, marked in _marked(_plain(reply))), _plain(reply)):
        letters = [m for m in _CHOICE.finditer(text) if not _is_word(text, m)]
        if letters:
            return letters[-1][1]
    return None


def statement(reply: str) -> str:
    """What a reply marks as its answer, or all of it."""
    text = _plain(reply)
    return next((marked.strip() for _, marked in _marked(text) if marked.strip()), text.strip())


def words_of(text: str) -> list[str]:
    """The words of a text, without case and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _marked(text: str) -> list[tuple[Place, str]]:
    """The marked pieces of a text, the surest kind first."""
    marked = []
    if (boxed := _last_boxed(text)) is not None:
        marked.append((Place.BOXED, boxed))
    if "####" in text:
        line = text.rpartition("####")[2].lstrip(" \t").partition("\n")[0]
        marked.append((Place.HASHES, line))
    if stated := list(_STATED.finditer(text)):
        marked.append((Place.STATED, _SENTENCE_END.split(stated[-1]["clause"], maxsplit=1)[0]))
    return marked


def _last_boxed(text: str) -> str | None:
    """What stands in the last box; None without one, or where it is not closed."""
    opening = "\\boxed{"
    start = text.rfind(opening)
    if start < 0:
        return None
    depth = 1
    for end in range(start + len(opening), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start + len(opening) : end]
    return None


def _of_clause(clause: str) -> Fraction | None:
    """The first number behind the last "=" of a clause, or the first of one without."""
    _, equals, result = clause.rpartition("=")
    for part in (result, clause) if equals else (clause,):
        numbers = next(numbers_in(part), None)
        if numbers is not None:
            return numbers.value
    return next(words_in(clause), None)


def _is_word(text: str, match: re.Match[str]) -> bool:
    follows = text[match.end() : match.end() + 2]
    return match[1] in "AI" and len(follows) == 2 and follows[0] == " " and follows[1].islower()


def _plain(text: str) -> str:
    """The text without what LaTeX and Markdown put around numbers."""
    for written, meant in _LATEX:
        text = text.replace(written, meant)
    return _LATEX_TEXT.sub(r" \1 ", text).replace("**", "").replace("__", "")
