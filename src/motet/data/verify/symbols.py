"""The symbols of arithmetic in running text: numbers, operators, equals signs, and words between.

    "Mia pays 2 x $1,200 = $2,400."   ->   word word 2 * $ 1200 = $ 2400 .

What only dresses a number up (bold marks) is left out; what breaks a calculation off (a comma, a
full stop, a comparison) is a BREAK.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction

MOST_DIGITS = 30
"""A number with more is no number that a step of arithmetic would have."""


class Kind(Enum):
    """What a symbol is."""

    NUMBER = auto()
    OPERATOR = auto()
    OPEN = auto()
    CLOSE = auto()
    PERCENT = auto()
    CURRENCY = auto()
    EQUALS = auto()
    ABOUT = auto()
    ARROW = auto()
    COLON = auto()
    WORD = auto()
    BREAK = auto()


@dataclass(frozen=True, slots=True)
class Symbol:
    """text[start:end] of a line; `text` is an operator's sign, a word in lower case."""

    kind: Kind
    start: int
    end: int
    text: str = ""
    value: Fraction = Fraction(0)
    num_decimals: int = 0


_WORD_OPERATORS = {
    "times": "*", "multiplied by": "*", "plus": "+", "minus": "-", "divided by": "/",
}  # fmt: skip
_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "\\times": "*", "\\cdot": "*",
          "\\div": "/"}  # fmt: skip
_PATTERN = re.compile(
    r"""
    (?P<number>(?<![\d.])(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\d.])\.\d+)
  | (?P<fraction>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])
  | (?P<arrow>->|→|⟶)
  | (?P<about>≈|≃|~=|=\s*~)
  | (?P<comparison>[=<>!:]=+|=>|<<|>>|[<>])
  | (?P<equals>=|\bequals\b)
  | (?P<stars>\*\*+)
  | (?P<operator>[-+*/^×·÷−–]|\\times\b|\\cdot\b|\\div\b)
  | (?P<word_operator>\b(?:times|plus|minus|divided\ by|multiplied\ by)\b(?=\s*[\d$€£(.]))
  | (?P<cross>[xX](?=\s*[\d$€£(.]))
  | (?P<open>\() | (?P<close>\))
  | (?P<percent>%|\bpercent\b)
  | (?P<currency>[$€£¥])
  | (?P<colon>:)
  | (?P<word>[^\W\d_][\w'’]*)
  | (?P<space>\s+|[`_])
  | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE,
)  # fmt: skip
_OPERANDS = (Kind.NUMBER, Kind.CLOSE, Kind.PERCENT)
_PLAIN = {
    "arrow": Kind.ARROW, "about": Kind.ABOUT, "equals": Kind.EQUALS, "open": Kind.OPEN,
    "close": Kind.CLOSE, "percent": Kind.PERCENT, "currency": Kind.CURRENCY, "colon": Kind.COLON,
    "comparison": Kind.BREAK, "other": Kind.BREAK,
}  # fmt: skip


def symbols(line: str) -> list[Symbol]:
    """The symbols of one line, left to right."""
    found: list[Symbol] = []
    place = 0
    while match := _PATTERN.match(line, place):
        symbol = _symbol(match, found, line)
        if symbol is not None:
            found.append(symbol)
        place = match.end() if symbol is None else symbol.end
    return found


def _symbol(match: re.Match[str], before: list[Symbol], line: str) -> Symbol | None:
    start, end, text = match.start(), match.end(), match[0]
    after_operand = bool(before) and before[-1].kind in _OPERANDS
    after_unit = len(before) > 1 and before[-1].kind is Kind.WORD and before[-2].kind in _OPERANDS
    match match.lastgroup:
        case "space":
            return None
        case "number":
            return _number(start, end, text)
        case "fraction":
            value = Fraction(unicodedata.numeric(text)).limit_denominator(8)
            return Symbol(Kind.NUMBER, start, end, text, value)
        case "cross" if after_operand or after_unit:
            return Symbol(Kind.OPERATOR, start, end, "*")
        case "cross" | "word":
            while end < len(line) and (line[end].isalnum() or line[end] in "_'’"):
                end += 1
            return Symbol(Kind.WORD, start, end, line[start:end].lower())
        case "stars":  # a power, or bold print
            is_power = text == "**" and after_operand and line[end : end + 2].strip()[:1].isdigit()
            return Symbol(Kind.OPERATOR, start, end, "^") if is_power else None
        case "word_operator":
            return Symbol(Kind.OPERATOR, start, end, _WORD_OPERATORS[text.lower()])
        case "operator" if not before and line[end : end + 1].isspace():
            return None  # a bullet
        case "operator":
            return Symbol(Kind.OPERATOR, start, end, _SIGNS.get(text, text))
    return Symbol(_PLAIN[str(match.lastgroup)], start, end, text)


def _number(start: int, end: int, text: str) -> Symbol:
    if len(text) > MOST_DIGITS:
        return Symbol(Kind.BREAK, start, end, text)
    digits = text.replace(",", "")
    num_decimals = len(digits.partition(".")[2])
    return Symbol(Kind.NUMBER, start, end, text, Fraction(digits), num_decimals)
