"""Numbers in digits and in words: by hand, and against writers that are written the other way."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.eval.questions.numbers import numbers_in, whole_number
from motet.eval.questions.words import words_in

ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def values(text: str) -> list[Fraction]:
    return [span.value for span in numbers_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,200 and 1,234,567", [1200, 1234567]),
        ("a list: 1,2,3", [1, 2, 3]),
        ("12,34", [12, 34]),
        ("1\u202f000", [1000]),
        ("It is 42.", [42]),
        ("3.50 or .5", [Fraction(7, 2), Fraction(1, 2)]),
        ("-5, (-6), = \u22127", [-5, -6, -7]),
        ("10-3, 10 - 3, x-3", [10, 3, 10, 3, 3]),
        ("$12, -$5, $-6, €7", [12, -5, -6, 7]),
        ("45%, 5kg, 20 cm", [45, 5, 20]),
        ("3/4, 10 / 4", [Fraction(3, 4), Fraction(5, 2)]),
        ("1 1/2 and 12 60/5", [Fraction(3, 2), 12, 12]),
        ("3/0", [3, 0]),
        (r"\frac{3}{4}, 2\dfrac{1}{2}", [Fraction(3, 4), Fraction(5, 2)]),
        ("½, 2¾", [Fraction(1, 2), Fraction(11, 4)]),
        ("1.5e3, 2 × 10^3, 3*10^{-2}", [1500, 2000, Fraction(3, 100)]),
        ("2 million, 1.5 thousand", [2_000_000, 1500]),
        ("H2O, x2, 3rd, 21st, 113th", []),
        ("none here", []),
    ],
)
def test_digits(text: str, expected: list[Fraction]) -> None:
    assert values(text) == expected


@given(st.integers(-(10**9), 10**9), st.integers(0, 4), st.booleans())
def test_what_python_writes_is_read(whole: int, decimals: int, commas: bool) -> None:
    value = Fraction(whole, 10**decimals)
    text = f"{whole / 10**decimals:{',' if commas else ''}.{decimals}f}"
    if Fraction(text.replace(",", "")) == value:  # floats of so few digits are exact in print
        assert values(f"It is {text}.") == [value]
        assert whole_number(f" {text}% ") == value


@given(st.text(alphabet="0123456789.,/-+$%eE×^*{}\\frac ½\u22121st\n", max_size=40))
def test_anything_can_be_read(text: str) -> None:
    spans = list(numbers_in(text))
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    list(words_in(text))


@pytest.mark.parametrize("text", ["18 apples", "1 2", "", "x", "3rd", "5-3", "1,2", "12 60/5"])
def test_more_than_a_number_is_none(text: str) -> None:
    assert whole_number(text) is None


def in_words(n: int) -> str:
    """English, as a child is taught it."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + ("" if n % 10 == 0 else f"-{ONES[n % 10]}")
    for value, name in ((10**6, "million"), (10**3, "thousand"), (100, "hundred")):
        if n >= value:
            head, rest = in_words(n // value), n % value
            if not rest:
                return f"{head} {name}"
            return f"{head} {name} {'and ' if rest < 100 else ''}{in_words(rest)}"
    raise AssertionError(n)


@given(st.integers(0, 10**9 - 1))
def test_every_number_in_words_is_read(n: int) -> None:
    assert list(words_in(f"There are {in_words(n)} of them, he says.")) == [n]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Twenty-Five", [25]),
        ("two, three and four", [2, 3, 4]),
        ("two three", [2, 3]),
        ("twenty ten", [20, 10]),
        ("twenty zero", [20, 0]),
        ("a dozen, two dozen, half a dozen", [12, 24, 6]),
        ("a hundred and one", [101]),
        ("minus seven, negative two", [-7, -2]),
        ("two and a half", [Fraction(5, 2)]),
        ("three point one four", [Fraction(314, 100)]),
        ("a point of view", []),
        ("No one knows which one", []),
        ("one", [1]),
        ("none are left", [0]),
        ("hundreds of people in a thousandth", []),
    ],
)
def test_words(text: str, expected: list[Fraction]) -> None:
    assert list(words_in(text)) == expected
