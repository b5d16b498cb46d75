"""A worked solution of GSM8K: lines of text with annotated calculations, and the answer.

    Natalia sold 48/2 = <<48/2=24>>24 clips in May.
    #### 24

The text of a line is what remains when the annotations are taken out. Where the result of a step
stands in it is remembered, so that it can be falsified, and checked when it has been said. What is
annotated without computing anything (<<2500=2500>>) is no step.
Cobbe et al., arXiv:2110.14168.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from motet.data.project.projecting import LeftOut
from motet.data.project.steps import Step, StepError, read_step
from motet.errors import DataError

__all__ = ["Line", "Place", "Solution", "falsified", "read_solution"]

_ANNOTATION = re.compile(r"<<(.*?)>>")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")
_MAX_DRAWS = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A step, and the characters of the line that say its result."""

    step: Step
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a solution and its steps."""

    text: str
    places: tuple[Place, ...]

    def announces(self, number: int) -> bool:
        """Whether the result of step `number` is said before the step."""
        place = self.places[number]
        said = map(_value, _NUMBER.findall(self.text[: place.start]))
        return _value(self.text[place.start : place.stop]) in said


@dataclass(frozen=True, slots=True)
class Solution:
    """All lines, and the final answer as it is written."""

    lines: tuple[Line, ...]
    answer: str

    @property
    def steps(self) -> list[tuple[int, int]]:
        """All steps: the number of the line, and of the step in it."""
        return [(i, n) for i, line in enumerate(self.lines) for n in range(len(line.places))]

    @property
    def falsifiable(self) -> list[tuple[int, int]]:
        """The steps whose result the line has not said before, so that only they tell it."""
        return [(i, n) for i, n in self.steps if not self.lines[i].announces(n)]


def read_solution(text: str, where: str) -> Solution:
    """Read the `answer` of a problem; LeftOut if a step is wrong or no arithmetic can be read."""
    body, mark, answer = text.rpartition("####")
    if not mark or not answer.strip():
        raise DataError(f"{where}: answer", expected="'#### ' and a number at its end", got="none")
    lines = tuple(_line(line) for line in body.splitlines() if line.strip())
    solution = Solution(lines, answer.strip())
    if not solution.steps:
        raise LeftOut("no annotated step")
    said = {_value(number) for line in lines for number in _NUMBER.findall(line.text)}
    if not any(_value(number) in said for number in _NUMBER.findall(solution.answer)):
        raise LeftOut("an answer that no line arrives at")
    return solution


def _value(number: str) -> Fraction:
    return Fraction(number.replace(",", ""))


def _line(text: str) -> Line:
    said, places, end = "", [], 0
    text = text.strip()
    for match in _ANNOTATION.finditer(text):
        said += text[end : match.start()]
        end = match.end()
        try:
            step = read_step(match[1])
        except StepError:
            raise LeftOut("a step that is no arithmetic") from None
        if not step.is_right:
            raise LeftOut("a wrong step")
        if not step.computes:
            continue
        number = _NUMBER.match(text, end)
        if number is None or number[0].replace(",", "") != step.result.lstrip("$").replace(",", ""):
            raise LeftOut("a step whose result is not said after it")
        places.append(Place(step, len(said), len(said) + len(number[0])))
    return Line(said + text[end:], tuple(places))


def falsified(line: Line, number: int, rng: Random) -> Line:
    """The line with a wrong result of its step `number`; LeftOut if none can be drawn.

    A digit is another one, two digits are swapped, or it is ten too many or too few, as people err.
    """
    place = line.places[number]
    digits = line.text[place.start : place.stop]
    for _ in range(_MAX_DRAWS):
        wrong = _slip(digits, rng)
        if not Step(place.step.expression, wrong).is_right:
            text = line.text[: place.start] + wrong + line.text[place.stop :]
            stop = place.start + len(wrong)
            step = replace(place.step, result=wrong)
            before = line.places[:number]
            return Line(text, (*before, Place(step, place.start, stop)))
    raise LeftOut("a step that no slip makes wrong")


def _slip(number: str, rng: Random) -> str:
    places = [i for i, character in enumerate(number) if character.isdigit()]
    digits = [number[i] for i in places]
    match rng.randrange(3):
        case 0 if number.isdigit() and int(number) > 20:
            return str(int(number) + rng.choice((-10, 10)))
        case 1 if len(digits) > 1:
            i = rng.randrange(len(digits) - 1)
            digits[i], digits[i + 1] = digits[i + 1], digits[i]
        case _:
            i = rng.randrange(len(digits))
            digits[i] = str((int(digits[i]) + rng.choice((1, 2, 8, 9))) % 10)
    if digits[0] == "0" and len(digits) > 1 and number[1] != ".":
        return number
    changed = list(number)
    for i, digit in zip(places, digits, strict=True):
        changed[i] = digit
    return "".join(changed)
