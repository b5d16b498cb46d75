"""Is a reply right? And if not, how did it fail?

A right answer is the number, the letter or the text that it should be, whatever else the reply
says. What failed is one of: mute (nothing was said), endless (it had to be cut off), unparsable
(it ended without any answer of the kind that was asked for), or wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from motet.eval.questions.extraction import find_choice, find_number, statement, words_of
from motet.eval.questions.numbers import whole_number

__all__ = ["AnswerKind", "Judged", "Outcome", "judge", "kind_of", "shown"]

MOST_DECIMALS = 12
_CHOICE = re.compile(r"\(?([A-J])[).]?")


class AnswerKind(StrEnum):
    """What an answer is, and so how it is compared: by value, by letter, by words."""

    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"


class Outcome(StrEnum):
    """What became of one question."""

    RIGHT = "right"
    WRONG = "wrong"
    MUTE = "mute"
    ENDLESS = "endless"
    UNPARSABLE = "unparsable"


@dataclass(frozen=True, slots=True)
class Judged:
    """answer: what the reply gave as its answer, in a form that equal answers share."""

    outcome: Outcome
    answer: str | None


def kind_of(gold: str) -> AnswerKind:
    """A number if the right answer is one as a whole, a choice if it is one of A to J."""
    if whole_number(gold) is not None:
        return AnswerKind.NUMBER
    return AnswerKind.CHOICE if _CHOICE.fullmatch(gold.strip()) else AnswerKind.TEXT


def judge(reply: str, gold: str, *, ended: bool = True) -> Judged:
    """Hold a reply against the right answer. ended: it was not cut off.

    A number is right if it has exactly the value; a text, if what the reply marks as its answer
    (or else the reply) has its words, one after the other.
    """
    if not reply.strip():
        return Judged(Outcome.MUTE, None)
    answer, is_right = _compared(reply, gold)
    if is_right:
        return Judged(Outcome.RIGHT, answer)
    if not ended:
        return Judged(Outcome.ENDLESS, answer)
    return Judged(Outcome.UNPARSABLE if answer is None else Outcome.WRONG, answer)


def shown(value: Fraction) -> str:
    """A number as people write it: 18, -0.25, and 1/3 where decimals do not end."""
    for num_decimals in range(MOST_DECIMALS):
        scaled = value * 10**num_decimals
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{num_decimals + 1}d}"
            sign, split = "-" if value < 0 else "", len(digits) - num_decimals
            return sign + digits[:split] + ("." + digits[split:] if num_decimals else "")
    return str(value)


def _compared(reply: str, gold: str) -> tuple[str | None, bool]:
    match kind_of(gold):
        case AnswerKind.NUMBER:
            found = find_number(reply)
            if found is None:
                return None, False
            return shown(found.value), found.value == whole_number(gold)
        case AnswerKind.CHOICE:
            letter, choice = find_choice(reply), _CHOICE.fullmatch(gold.strip())
            return letter, choice is not None and letter == choice[1]
    said = statement(reply)
    words, wanted = words_of(said), words_of(gold)
    if not wanted:  # an answer of signs alone
        return said, gold.strip() in said
    starts = range(len(words) - len(wanted) + 1)
    is_right = any(words[start : start + len(wanted)] == wanted for start in starts)
    return " ".join(wanted) if is_right else " ".join(words), is_right
