"""Every `a op b = c` that a text says, and whether it is so. Exact: fractions, no floating point.

    48/2 = 24 clips                     right
    10 / 3 = 3.33                       rounded: right to the decimals that are given
    3 + 4 = 8                           wrong
    8/3 = 2 r2                          with a remainder
    147*6: 7*6=42, 4*6+4=28 -> 882      a line worked out: the first expression is the last number
    <<48/2=24>>                         GSM8K's annotation of a calculation
    half of 10 + 2 = 7                  not read: who knows what is halved

Where the text does not say surely what is calculated (a word that calculates, an unknown, units
that are converted), nothing is claimed and nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from motet.data.verify.expressions import is_unit
from motet.data.verify.sides import Side, Verdict, judge
from motet.data.verify.symbols import Kind, Symbol, symbols

MOST_SYMBOLS = 60
"""A calculation is looked for in so many symbols before and after an equals sign."""

_ANNOTATION = re.compile(r"<<([^<>\n]*)>>")
_SIGN = re.compile(r"=|->|equal|[≈≃→⟶]", re.IGNORECASE)
_ENDS_OF_SIDES = (Kind.EQUALS, Kind.ABOUT, Kind.ARROW, Kind.COLON, Kind.BREAK)
_CALCULATING_WORDS = (
    "half twice thrice double triple quadruple quarter third times plus minus than over per sqrt "
    "log less more"
)
_CALCULATING = frozenset(_CALCULATING_WORDS.split())
_OF_WHAT_WORDS = "third thirds fourth fourths fifth fifths fraction part sum product difference"
_OF_WHAT = _CALCULATING | frozenset(_OF_WHAT_WORDS.split())
_BEGINNINGS = (Kind.NUMBER, Kind.CURRENCY, Kind.OPEN, Kind.OPERATOR)
_ROUNDING = frozenset({"about", "approximately", "roughly", "around"})


@dataclass(frozen=True, slots=True)
class NumberAt:
    """text[start:end] is a number."""

    start: int
    end: int
    value: Fraction


@dataclass(frozen=True, slots=True)
class Claim:
    """text[start:end] claims that the `operands` make the `results`, which should be `expected`.

    results: one number, or those of an expression ("4*6+4 = 24+4").
    """

    start: int
    end: int
    verdict: Verdict
    operands: tuple[NumberAt, ...]
    results: tuple[NumberAt, ...]
    expected: Fraction


def find_claims(text: str) -> list[Claim]:
    """All claims of `text` that can be read for sure, in the order in which they stand."""
    found: list[Claim] = []
    for annotation in _ANNOTATION.finditer(text):
        found += _claims_of_line(annotation[1], annotation.start(1))
    plain = _ANNOTATION.sub(lambda match: " " * len(match[0]), text)
    place = 0
    for line in plain.split("\n"):
        found += _claims_of_line(line, place)
        place += len(line) + 1
    return sorted(found, key=lambda claim: (claim.start, claim.end))


def _claims_of_line(line: str, offset: int) -> Iterator[Claim]:
    if not _SIGN.search(line):
        return
    said = symbols(line)
    for place, symbol in enumerate(said):
        if symbol.kind in (Kind.EQUALS, Kind.ABOUT):
            left_end = place
        elif symbol.kind is Kind.ARROW and (colon := _first_colon(said[:place])) is not None:
            left_end = colon
        else:
            continue
        left = _side_before(said, left_end)
        right = _side_after(said, place + 1)
        if left is None or right is None or not (left.is_calculated or right.is_calculated):
            continue
        if (judged := judge(left, right)) is not None:
            yield _claim(left, right, *judged, offset)


def _first_colon(said: Sequence[Symbol]) -> int | None:
    return next((i for i, symbol in enumerate(said) if symbol.kind is Kind.COLON), None)


def _claim(left: Side, right: Side, verdict: Verdict, expected: Fraction, offset: int) -> Claim:
    made, out_of = (right, left) if left.is_calculated else (left, right)
    return Claim(
        start=offset + left.start,
        end=offset + right.end,
        verdict=verdict,
        operands=_numbers(out_of, offset),
        results=_numbers(made, offset),
        expected=expected,
    )


def _numbers(side: Side, offset: int) -> tuple[NumberAt, ...]:
    return tuple(NumberAt(offset + n.start, offset + n.end, n.value) for n in side.numbers)


def _side_before(said: Sequence[Symbol], stop: int) -> Side | None:
    """The longest expression that ends before symbol `stop`; None if more belongs to it."""
    first = stop
    while first and stop - first < MOST_SYMBOLS and said[first - 1].kind not in _ENDS_OF_SIDES:
        first -= 1
    for start in range(first, stop):
        if said[start].kind not in _BEGINNINGS:
            continue
        side = Side.read(said[:stop], start)
        if side is not None and side.stop == stop:
            return side if _is_apart(said[:start], said[start], side) else None
    return None


def _is_apart(prefix: Sequence[Symbol], begin: Symbol, side: Side) -> bool:
    """Whether what stands before an expression has no part in it."""
    if not prefix:
        return True
    before = prefix[-1]
    if before.kind in (Kind.OPERATOR, Kind.NUMBER, Kind.PERCENT):
        return False
    if before.kind is Kind.CLOSE:  # "(1/2) 278 + 11", but not the mark of a list
        return not any(symbol.kind is Kind.OPEN for symbol in prefix)
    if before.kind is not Kind.WORD:
        return True
    is_function = begin.kind is Kind.OPEN and before.end == begin.start
    is_dash = begin.kind is Kind.OPERATOR
    is_name = not side.is_calculated  # "Day 2 = 3 * 4"
    is_share = before.text == "of" and len(prefix) > 1 and _is_share(prefix[-2])
    return not (is_function or is_dash or is_name or is_share or before.text in _CALCULATING)


def _is_share(symbol: Symbol) -> bool:
    """Whether "of" after it calculates: "half of 10 + 2", and not "a total of 10 + 2"."""
    return symbol.kind in (Kind.NUMBER, Kind.PERCENT) or symbol.text in _OF_WHAT


def _side_after(said: Sequence[Symbol], start: int) -> Side | None:
    """The longest expression from symbol `start` on; None if more belongs to it."""
    is_rounded = said[start - 1].kind is Kind.ABOUT
    if start < len(said) and said[start].text in _ROUNDING:
        start, is_rounded = start + 1, True
    stop = start
    while stop < len(said) and said[stop].kind not in _ENDS_OF_SIDES:
        stop += 1
    stop = min(stop, start + MOST_SYMBOLS)
    side = Side.read(said[:stop], start, is_rounded=is_rounded)
    if side is None or side.stop == start + MOST_SYMBOLS:
        return None
    rest = said[side.stop : stop]
    if not rest or rest[0].kind is Kind.CLOSE:
        return side
    if rest[0].kind is Kind.WORD:
        is_unknown = rest[0].start == side.end and len(rest[0].text) == 1  # "75 = (3/2)s"
        return None if is_unknown else side.with_following(rest)
    goes_on = len(rest) > 1
    is_dash = rest[0].text in ("-", "/") and goes_on and is_unit(rest[1])  # "a 3-page letter"
    is_mark = rest[0].kind is Kind.OPERATOR and not goes_on
    return side if is_dash or is_mark else None
