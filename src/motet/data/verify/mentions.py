"""What a conversation mentions, and when: numbers, names, and calculations, each with its rows.

A number in words is one too ("seven", "twenty-five", "a dozen"), and some words imply one ("half",
"twice", "a week"): a reader who met them knows the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from motet.data.table import Message, Table
from motet.data.verify.claims import Claim, find_claims
from motet.data.verify.messages import messages_of
from motet.data.verify.symbols import Kind, symbols
from motet.streams.layout import Role

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES: dict[str, tuple[int, ...]] = {word: (n,) for n, word in enumerate(_ONES.split())}
_VALUES |= {word: (10 * n,) for n, word in enumerate(_TENS.split(), start=2)}
_VALUES |= {
    "hundred": (100,), "thousand": (1000,), "million": (1_000_000,),
    "dozen": (12,), "dozens": (12,),
    "half": (2,), "halves": (2,), "twice": (2,), "double": (2,), "doubled": (2,), "doubles": (2,),
    "pair": (2,), "pairs": (2,), "couple": (2,), "both": (2,), "third": (3,), "thirds": (3,),
    "triple": (3,), "tripled": (3,), "thrice": (3,), "quarter": (4, 25), "quarters": (4, 25),
    "fourth": (4,), "fifth": (5,), "week": (7, 52), "weeks": (7, 52), "weekly": (7, 52),
    "day": (24, 7), "days": (24, 7), "daily": (7, 24), "year": (12, 52, 365),
    "years": (12, 52, 365), "month": (12, 30), "months": (12, 30), "hour": (60,), "hours": (60, 24),
    "minute": (60,), "minutes": (60,), "percent": (100,), "foot": (12,), "feet": (12,),
}  # fmt: skip
_COMPOUND = re.compile(
    rf"\b({'|'.join(_TENS.split())})[- ]({'|'.join(_ONES.split()[1:10])})\b", re.I
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\"“\n(]\s*)$")
_LIST_MARK = re.compile(r"(?:^|\n)\s*\d{1,2}[.):]\s+\S|\bstep\s+\d+\b", re.IGNORECASE)
_SHORTEST_NAME = 3


@dataclass(frozen=True, slots=True)
class Mention:
    """text[start:end] of a message, in rows first_row to last_row of `channel`.

    value: of a number; name: of somebody or something, in lower case. is_said: whether the number
    itself stands there; other values are only implied. place: number of the message, and `start`.
    """

    channel: int
    place: tuple[int, int]
    end: int
    first_row: int
    last_row: int
    text: str
    value: Fraction | None = None
    name: str | None = None
    is_said: bool = True


@dataclass(frozen=True, slots=True)
class Worked:
    """A claim in message number `message` of `channel`; it is out in row last_row."""

    channel: int
    message: int
    claim: Claim
    last_row: int


@dataclass(frozen=True)
class Mentions:
    """Everything that a conversation mentions. messages: of each channel, in order."""

    messages: tuple[list[Message], ...]
    numbers: tuple[Mention, ...]
    names: tuple[Mention, ...]
    worked: tuple[Worked, ...]
    is_input: tuple[bool, ...]

    @classmethod
    def of(cls, table: Table) -> Mentions:
        """Read a conversation."""
        said = tuple(messages_of(table, channel) for channel in range(len(table.channels)))
        numbers: list[Mention] = []
        names: list[Mention] = []
        worked: list[Worked] = []
        for channel, messages in enumerate(said):
            for number, message in enumerate(messages):
                numbers += _numbers(channel, number, message)
                names += _names(channel, number, message)
                worked += (
                    Worked(channel, number, claim, message.row_of(claim.end - 1))
                    for claim in find_claims(message.text)
                )
        is_input = tuple(channel.role is Role.INPUT for channel in table.channels)
        return cls(said, tuple(numbers), tuple(names), tuple(worked), is_input)


def _numbers(channel: int, number: int, message: Message) -> Iterator[Mention]:
    text = message.text
    marks = [match.span() for match in _LIST_MARK.finditer(text)]
    for start, end, value in _digits(text):
        if not any(low <= start < high for low, high in marks):
            yield _mention(channel, number, message, start, end, value)
    for match in _COMPOUND.finditer(text):
        value = Fraction(_VALUES[match[1].lower()][0] + _VALUES[match[2].lower()][0])
        yield _mention(channel, number, message, *match.span(), value, is_said=False)
    for match in _WORD.finditer(text):
        for implied in _VALUES.get(match[0].lower(), ()):
            value = Fraction(implied)
            yield _mention(channel, number, message, *match.span(), value, is_said=False)


def _digits(text: str) -> Iterator[tuple[int, int, Fraction]]:
    place = 0
    for line in text.split("\n"):
        for symbol in symbols(line):
            if symbol.kind is Kind.NUMBER:
                yield place + symbol.start, place + symbol.end, symbol.value
        place += len(line) + 1


def _names(channel: int, number: int, message: Message) -> Iterator[Mention]:
    """Words with a capital letter within a sentence."""
    for match in _WORD.finditer(message.text):
        word = match[0]
        is_capital = word[0].isupper() and len(word) >= _SHORTEST_NAME and not word.isupper()
        if is_capital and not _SENTENCE_START.search(message.text[: match.start()]):
            name = word.lower().removesuffix("'s").removesuffix("’s")
            yield _mention(channel, number, message, *match.span(), name=name)


def _mention(
    channel: int,
    number: int,
    message: Message,
    start: int,
    end: int,
    value: Fraction | None = None,
    *,
    name: str | None = None,
    is_said: bool = True,
) -> Mention:
    rows = message.row_of(start), message.row_of(end - 1)
    text = message.text[start:end]
    return Mention(channel, (number, start), end, *rows, text, value, name, is_said)
