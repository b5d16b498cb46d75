"""Steps of arithmetic as GSM8K annotates them, computed once more and exactly, with fractions.

    <<48/2=24>>     right
    <<10/3=3.33>>   right: what is written is the value, rounded to the places that are written
    <<2+2=5>>       wrong

Numbers may have a dollar sign, commas of thousands and a percent sign; `x` multiplies as `*` does.
Grammar: sum = product (("+"|"-") product)*, product = factor (("*"|"/") factor)*,
factor = ("-"|"+")? (number | "(" sum ")") "%"?.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Step", "StepError", "evaluate", "read_step"]

MAX_CHARACTERS = 200
_TOKEN = re.compile(r"\s*(?:\$?\s*((?:\d[\d,]*)?\.?\d+|\d[\d,]*\.?)|([-+*/x()%]))\s*")
_RESULT = re.compile(r"\s*(-?)\s*\$?\s*(-?)((?:\d[\d,]*)?\.?\d+|\d[\d,]*\.?)\s*(%?)\s*")


class StepError(ValueError):
    """What is written is no arithmetic."""


@dataclass(frozen=True, slots=True)
class Step:
    """One annotated step: what is computed, as written, and the result, as written."""

    expression: str
    result: str

    @property
    def value(self) -> Fraction:
        """What the expression comes to, exactly."""
        return evaluate(self.expression)

    @property
    def computes(self) -> bool:
        """Whether anything is computed: 5000 alone is, as an expression, no computation."""
        return any(operator in self.expression[1:] for operator in "+-*/x%")

    @property
    def is_right(self) -> bool:
        """Whether the result is the value, or the value rounded to the places that are written."""
        stated, places = _stated(self.result)
        value = self.value
        return stated == value or (places > 0 and abs(stated - value) <= Fraction(1, 10**places))


def read_step(annotation: str) -> Step:
    """Read what stands between << and >>; StepError if it is no `expression=result`."""
    expression, equals, result = annotation.partition("=")
    if not equals or len(annotation) > MAX_CHARACTERS:
        raise StepError(annotation)
    evaluate(expression)
    _stated(result)
    return Step("".join(expression.split()), "".join(result.split()))


def evaluate(expression: str) -> Fraction:
    """The exact value; StepError if it is no arithmetic or divides by zero."""
    parser = _Parser(_tokens(expression))
    value = parser.sum()
    if not parser.is_done:
        raise StepError(expression)
    return value


def _stated(result: str) -> tuple[Fraction, int]:
    """The number of a result, and its places after the point."""
    match = _RESULT.fullmatch(result)
    if not match:
        raise StepError(result)
    digits = match[3].replace(",", "").rstrip(".")
    places = len(digits.partition(".")[2])
    value = Fraction(digits) * (-1 if match[1] or match[2] else 1)
    return (value / 100, places + 2) if match[4] else (value, places)


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if not match:
            raise StepError(expression)
        tokens.append((match[1] or match[2]).replace(",", "").replace("x", "*"))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens[::-1]

    @property
    def is_done(self) -> bool:
        return not self._tokens

    def _take(self, *options: str) -> str | None:
        if self._tokens and self._tokens[-1] in options:
            return self._tokens.pop()
        return None

    def sum(self) -> Fraction:
        value = self._product()
        while operator := self._take("+", "-"):
            other = self._product()
            value = value + other if operator == "+" else value - other
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while operator := self._take("*", "/"):
            other = self._factor()
            if operator == "/" and not other:
                raise StepError("division by zero")
            value = value * other if operator == "*" else value / other
        return value

    def _factor(self) -> Fraction:
        if sign := self._take("-", "+"):
            value = self._factor()
            return -value if sign == "-" else value
        if self._take("("):
            value = self.sum()
            if not self._take(")"):
                raise StepError("a bracket is not closed")
        elif self._tokens and self._tokens[-1][0] in "0123456789.":
            value = Fraction(self._tokens.pop().rstrip("."))
        else:
            raise StepError("no number where one must be")
        return value / 100 if self._take("%") else value
