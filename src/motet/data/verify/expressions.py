"""Expressions out of symbols, valued exactly: + - * / ^, brackets, percent, units after a number.

    sum      product (("+" | "-") product)*
    product  power (("*" | "/" | "of" | nothing before a bracket) power)*
    power    ["-"] operand ["^" operand]
    operand  [currency] number ["%"] [currency] [unit] | "(" sum ")"

A unit is one or two words of two letters and more ("48 clips / 2"); one letter is a variable, whose
value nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from motet.data.verify.symbols import Kind, Symbol

MOST_BRACKETS = 20
MOST_POWER = 20
_MOST_BITS = 4_096
Reading = Callable[[], Fraction]
_NO_UNIT_WORDS = (
    "and or so then is are was were of than as if each per the an by at in to from for with "
    "half twice double triple dozen hundred thousand million billion"
)
_NO_UNITS = frozenset(_NO_UNIT_WORDS.split())


class UnreadableError(Exception):
    """No expression begins here."""


@dataclass(slots=True)
class Reader:
    """Reads the longest expression of `symbols` from `place` on.

    percent: what "%" multiplies by. is_calculated: whether an operator was met. units: what
    numbers count. operands: the symbols of all numbers.
    """

    symbols: Sequence[Symbol]
    place: int = 0
    percent: Fraction = Fraction(1, 100)
    is_calculated: bool = False
    operators: set[str] = field(default_factory=set)
    num_divisions: int = 0
    units: set[str] = field(default_factory=set)
    operands: list[Symbol] = field(default_factory=list)
    _depth: int = 0

    def read(self) -> Fraction:
        """Its value; UnreadableError if there is none."""
        value = self._product()
        while sign := self._operator("+-"):
            term = self._after(sign, self._product)
            if term is None:
                break
            value = value + term if sign == "+" else value - term
        return value

    def _product(self) -> Fraction:
        value = self._power()
        while sign := self._operator("*/"):
            factor = self._after(sign, self._power)
            if factor is None:
                break
            if sign == "/" and factor == 0:
                raise UnreadableError
            value = _checked(value * factor if sign == "*" else value / factor)
        return value

    def _power(self) -> Fraction:
        if self._sign_here() == "-":
            self.place += 1
            return -self._power()
        value = self._operand()
        if self._sign_here() == "^":
            exponent = self._after("^", self._power)
            if exponent is not None:
                if exponent.denominator != 1 or abs(exponent) > MOST_POWER or value == 0:
                    raise UnreadableError
                value = _checked(Fraction(value ** int(exponent)))
        return value

    def _operand(self) -> Fraction:
        symbol = self._here()
        if symbol is not None and symbol.kind is Kind.CURRENCY:
            self.units.add(symbol.text)
            self.place += 1
            symbol = self._here()
        if symbol is None:
            raise UnreadableError
        if symbol.kind is Kind.OPEN:
            return self._brackets()
        if symbol.kind is not Kind.NUMBER:
            raise UnreadableError
        self.operands.append(symbol)
        self.place += 1
        value = symbol.value
        if (following := self._here()) is not None and following.kind is Kind.PERCENT:
            self.place += 1
            value *= self.percent
        if (following := self._here()) is not None and following.kind is Kind.CURRENCY:
            self.units.add(following.text)
            self.place += 1
        self._skip_unit()
        return value

    def _brackets(self) -> Fraction:
        if self._depth == MOST_BRACKETS:
            raise UnreadableError
        self._depth += 1
        self.place += 1
        value = self.read()
        closing = self._here()
        if closing is None or closing.kind is not Kind.CLOSE:
            raise UnreadableError
        self._depth -= 1
        self.place += 1
        return value

    def _skip_unit(self) -> None:
        """Pass over "clips", "years old", "GB/minute", "/card" if a calculation goes on."""
        for num_words in (0, 1, 2):
            words = self.symbols[self.place : self.place + num_words]
            if len(words) < num_words or not all(map(is_unit, words)):
                return
            after = self.place + num_words
            if self._is_per(after):
                after += 2
            following = self.symbols[after : after + 1]
            goes_on = not following or following[0].kind in (Kind.OPERATOR, Kind.CLOSE)
            if goes_on and after > self.place:
                self.units |= {word.text.rstrip("s") for word in words[:1]}
                self.place = after
                return

    def _is_per(self, place: int) -> bool:
        pair = self.symbols[place : place + 2]
        return len(pair) == 2 and pair[0].text == "/" and is_unit(pair[1])

    def _operator(self, signs: str) -> str | None:
        """The operator here, if it is one of `signs`; "*" also for what is not written."""
        symbol = self._here()
        if symbol is None:
            return None
        if symbol.kind is Kind.OPERATOR and symbol.text in signs:
            return symbol.text
        is_of = symbol.kind is Kind.WORD and symbol.text == "of" and self._after_share()
        is_bracket = symbol.kind is Kind.OPEN and self.symbols[self.place - 1].kind is not Kind.WORD
        return "*" if "*" in signs and (is_of or is_bracket) else None

    def _after_share(self) -> bool:
        """Whether "20%" or "1/2" stands before this place."""
        before = self.symbols[max(0, self.place - 2) : self.place]
        is_percent = bool(before) and before[-1].kind is Kind.PERCENT
        return is_percent or (len(before) == 2 and before[0].text == "/")

    def _after(self, sign: str, read: Reading) -> Fraction | None:
        """What follows the operator here; None, and nothing is read, if it is no operand."""
        start, num_operands, depth = self.place, len(self.operands), self._depth
        if self.symbols[start].kind is not Kind.OPEN:
            self.place += 1
        try:
            value = read()
        except UnreadableError:
            self.place, self._depth = start, depth
            del self.operands[num_operands:]
            return None
        self.is_calculated = True
        self.operators.add(sign)
        self.num_divisions += sign == "/"
        return value

    def _sign_here(self) -> str | None:
        symbol = self._here()
        return symbol.text if symbol is not None and symbol.kind is Kind.OPERATOR else None

    def _here(self) -> Symbol | None:
        return self.symbols[self.place] if self.place < len(self.symbols) else None


def is_unit(symbol: Symbol) -> bool:
    """Whether this may be what a number counts."""
    is_word = symbol.kind is Kind.WORD and len(symbol.text) > 1 and symbol.text.isalpha()
    return is_word and symbol.text not in _NO_UNITS


def _checked(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise UnreadableError
    return value
