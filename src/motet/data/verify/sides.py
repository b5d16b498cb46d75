"""The two sides of an equals sign, and whether they are the same.

A result may be rounded: to the decimals it has, or more freely where the text says "about". Where
the sides differ and units may be converted ("2 hours + 30 minutes = 150 minutes") nothing is
judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from motet.data.verify.expressions import Reader, UnreadableError
from motet.data.verify.symbols import Kind, Symbol

_LARGE_WORDS = "pair dozen hundred thousand million billion k"
_CONVERTED_WORDS = (
    "second minute hour day week month year foot feet inche inch yard mile meter metre centimeter "
    "kilometer cm km mm kg gram g pound ounce oz lb liter litre ml gallon quart pint cup cent "
    "dollar penny pennie nickel dime quarter $ € £ ¥"
)
_LARGE = frozenset(_LARGE_WORDS.split())
_CONVERTED = _LARGE | frozenset(_CONVERTED_WORDS.split())
_ABOUT = Fraction(1, 20)


class Verdict(StrEnum):
    """What a claim is."""

    RIGHT = "right"
    ROUNDED = "rounded"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Side:
    """An expression as it was read: characters [start, end), symbols up to `stop`.

    value: with "%" as a hundredth; plain: with "%" as nothing but a unit. remainder: of a division,
    as in "2 r3".
    """

    start: int
    end: int
    stop: int
    value: Fraction
    plain: Fraction
    numbers: tuple[Symbol, ...]
    operators: frozenset[str]
    num_divisions: int
    units: frozenset[str]
    is_rounded: bool
    remainder: int | None = None

    @property
    def is_calculated(self) -> bool:
        """Whether it is more than a number."""
        return bool(self.operators)

    @classmethod
    def read(cls, said: Sequence[Symbol], start: int, *, is_rounded: bool = False) -> Side | None:
        """The longest expression from symbol `start` on; None if there is none."""
        reader = Reader(said, start)
        plain = Reader(said, start, percent=Fraction(1))
        try:
            value, plain_value = reader.read(), plain.read()
        except UnreadableError:
            return None
        return cls(
            start=said[start].start,
            end=said[reader.place - 1].end,
            stop=reader.place,
            value=value,
            plain=plain_value,
            numbers=tuple(reader.operands),
            operators=frozenset(reader.operators),
            num_divisions=reader.num_divisions,
            units=frozenset(reader.units),
            is_rounded=is_rounded,
        )

    def with_following(self, rest: Sequence[Symbol]) -> Side:
        """With what the words after it add: a remainder, or a unit that would be converted."""
        word = rest[0].text
        if word in ("r", "rem", "remainder") and len(rest) > 1 and rest[1].kind is Kind.NUMBER:
            if rest[1].value.denominator == 1:
                return replace(self, end=rest[1].end, remainder=int(rest[1].value))
        elif word[:1] == "r" and word[1:].isdecimal() and word[1:].isascii():
            return replace(self, end=rest[0].end, remainder=int(word[1:]))
        elif word.rstrip("s") in _CONVERTED:
            return replace(self, units=self.units | {word.rstrip("s")})
        return self


def judge(left: Side, right: Side) -> tuple[Verdict, Fraction] | None:
    """What the claim that both are equal is, and what the result should be; None: who knows."""
    if right.remainder is not None:
        return _judge_remainder(left, right)
    expected = left.value if left.is_calculated else right.value
    values = {left.value, left.plain} if left.value == left.plain else {left.value}
    if right.value in values or (left.value == left.plain and right.plain == left.value):
        return Verdict.RIGHT, expected
    if not right.is_calculated and _is_rounded(left.value, right):
        return Verdict.ROUNDED, expected
    is_unsure = (
        _may_be_converted(left, right)
        or _is_in_percent(left, right)
        or _is_share(left)
        or left.num_divisions > 1  # "25 / 1/3 = 75": who knows what is divided first
        or (not left.is_calculated and left.units)  # "8 batches = 5.5 * 8"
    )
    return None if is_unsure else (Verdict.WRONG, expected)


def _is_share(left: Side) -> bool:
    """ "2/3 = 40 apples" is said of a part of something: no calculation that is wrong."""
    return left.operators == {"/"} and abs(left.value) < 1


def _judge_remainder(left: Side, right: Side) -> tuple[Verdict, Fraction] | None:
    is_division = left.operators == {"/"} and len(left.numbers) == 2 and not right.is_calculated
    if not is_division:
        return None
    dividend, divisor = (number.value for number in left.numbers)
    rest = dividend - divisor * right.value
    is_right = rest == right.remainder and 0 <= rest < divisor
    return (Verdict.RIGHT if is_right else Verdict.WRONG), Fraction(dividend // divisor)


def _is_rounded(exact: Fraction, right: Side) -> bool:
    num_decimals = right.numbers[0].num_decimals
    for said, share in (
        (right.value, right.value / right.plain if right.plain else 1),
        (right.plain, 1),
    ):
        step = Fraction(1, 10**num_decimals) * share
        if num_decimals and abs(exact - said) < step:
            return True
        if right.is_rounded and abs(exact - said) <= max(step, _ABOUT * abs(exact)):
            return True
    return False


def _is_in_percent(left: Side, right: Side) -> bool:
    """ "32 / 96 * 100% = 33.3" means percent, and "20% * 50 = 1000" does not."""
    has_hundred = any(number.value == 100 for number in left.numbers)
    is_so = left.plain == right.value or _is_rounded(left.plain, right)
    return has_hundred and left.plain != left.value and is_so


def _may_be_converted(left: Side, right: Side) -> bool:
    """Whether two units of the same kind of thing may be meant, or a word that multiplies."""
    units = left.units | right.units
    return bool(units & _LARGE) or len(units & _CONVERTED) > 1
