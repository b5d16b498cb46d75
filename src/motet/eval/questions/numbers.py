"""The numbers that a text says in digits: what they are worth, and where they stand.

    1,200   -5   .5   3.50   3/4   1 1/2   \\frac{3}{4}   ½   $-12   45%   1.5 × 10^3   2 million

Values are exact. A minus is a sign unless something stands right before it (10-3 has no -3), a
percent sign leaves the number as it is, and what is part of a word (H2O, 3rd) is no number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["SCALES", "NumberSpan", "numbers_in", "whole_number"]

SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
}  # fmt: skip
"""What a word multiplies the number before it by."""

_GROUPED = r"\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?!\d)|\d+"
_NUMBER = re.compile(
    r"""
    (?P<sign>(?<![\w)\]}%])[-\u2212+])? (?:[$€£¥] (?P<sign_after>[-\u2212])?)?
    (?<![^\W\d_]) (?<!\d)
    (?:
        (?:(?P<latex_whole>\d+)\s*)? \\[dt]?frac\s*\{\s*(?P<latex_over>\d+)\s*\}
            \s*\{\s*(?P<latex_under>\d+)\s*\}
      | (?P<whole>\d+)\s+(?P<mixed_over>\d+)/(?P<mixed_under>\d+)(?!\d|[.,]\d)
      | (?P<over>\d+)\s?/\s?(?P<under>\d+)(?!\d|[.,]\d)
      | (?P<vulgar_whole>\d*)(?P<vulgar>[\u00bc-\u00be\u2150-\u215e])
      | (?P<digits>(?:GROUPED)(?:\.\d+)?|\.\d+)
        (?:[eE](?P<exponent>[-+]?\d{1,2})(?!\w)|\s*[×*]\s*10\s*\^\s*\{?(?P<power>-?\d{1,2})\}?)?
    )
    (?!\d|(?:st|nd|rd|th)\b)
    (?:\s+(?P<scale>SCALES)\b)?
    """.replace("GROUPED", _GROUPED).replace("SCALES", "|".join(SCALES)),
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NumberSpan:
    """A number read in a text: characters [start, end) and its value."""

    start: int
    end: int
    value: Fraction


def numbers_in(text: str) -> Iterator[NumberSpan]:
    """Every number in digits, left to right."""
    position = 0
    while match := _NUMBER.search(text, position):
        span = _span(match)
        yield span
        position = span.end


def whole_number(text: str) -> Fraction | None:
    """What a text is worth that is one number and nothing else, but for % and the last dot."""
    match = _NUMBER.fullmatch(text.strip().removesuffix(".").rstrip("%").strip())
    if match is None:
        return None
    span = _span(match)
    return span.value if span.end == match.end() else None


def _span(match: re.Match[str]) -> NumberSpan:
    """The number of a match; of a fraction that is none, such as 3/0, what stands above."""
    end = match.end()
    if match["mixed_over"] is not None and _is_proper(match["mixed_over"], match["mixed_under"]):
        value = int(match["whole"]) + _ratio(match["mixed_over"], match["mixed_under"])
    elif match["mixed_over"] is not None:
        value, end = Fraction(int(match["whole"])), match.end("whole")
    elif match["over"] is not None and int(match["under"]) == 0:
        value, end = Fraction(int(match["over"])), match.end("over")
    elif match["over"] is not None:
        value = _ratio(match["over"], match["under"])
    elif match["latex_over"] is not None and int(match["latex_under"]) == 0:
        value = Fraction(int(match["latex_over"]))
    elif match["latex_over"] is not None:
        value = int(match["latex_whole"] or 0) + _ratio(match["latex_over"], match["latex_under"])
    elif match["vulgar"] is not None:
        numeric = Fraction(unicodedata.numeric(match["vulgar"])).limit_denominator(1000)
        value = int(match["vulgar_whole"] or 0) + numeric
    else:
        value = Fraction(re.sub(r"[,\u00a0\u202f]", "", match["digits"]))
        value *= Fraction(10) ** int(match["exponent"] or match["power"] or 0)
    if end == match.end() and match["scale"] is not None:
        value *= SCALES[match["scale"].lower()]
    is_negative = (match["sign"] or "+") != "+" or match["sign_after"] is not None
    return NumberSpan(match.start(), end, -value if is_negative else value)


def _is_proper(over: str, under: str) -> bool:
    return 0 < int(over) < int(under)


def _ratio(over: str, under: str) -> Fraction:
    return Fraction(int(over), int(under))
