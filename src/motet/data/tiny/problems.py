"""Word problems: a template with people, things and numbers filled in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random

from motet.data.tiny.arithmetic import Step, expand, write
from motet.data.tiny.lines import Line, Task
from motet.data.tiny.number_words import in_words
from motet.data.tiny.operands import draw_numbers
from motet.data.tiny.stock import CONTAINERS, PEOPLE, THINGS
from motet.data.tiny.templates import Template

__all__ = ["draw_problem", "fill_picks", "working"]

_PICK = re.compile(r"\[([^\]]*)\]")
_SLOT = re.compile(r"\{(\w+)(:w)?\}")
_SENTENCE_START = re.compile(r"(?:^|[.?!] )([a-z])")
_SPACES = re.compile(r" {2,}")
_SPACE_BEFORE_STOP = re.compile(r" +([.,?!;])")


def draw_problem(template: Template, rng: Random) -> Task:
    """One problem of a template."""
    values, steps = draw_numbers(template, rng)
    slots = _draw_names(rng)
    answer = str(working_value(steps))
    return Task(
        question=_fill(template.question, slots, values, rng),
        lines=working(steps),
        reply=_fill(template.answer, slots | {"ans": answer}, values, rng),
        answer=answer,
        family="problem",
        place=template.place,
    )


def working_value(steps: list[Step]) -> int:
    """The value of the last step."""
    return write(steps[-1])[1]


def working(steps: Iterable[Step]) -> tuple[Line, ...]:
    """The lines of the working; long products become several."""
    parts = [part for step in steps for part in expand(step)]
    return tuple(Line(write(part)[0], part) for part in parts)


def fill_picks(text: str, rng: Random) -> str:
    """Replace each `[x|y]` by one of its alternatives and tidy the spaces that empty ones leave."""
    text = _PICK.sub(lambda match: rng.choice(match[1].split("|")), text)
    return _SPACE_BEFORE_STOP.sub(r"\1", _SPACES.sub(" ", text)).strip()


def _draw_names(rng: Random) -> dict[str, str]:
    slots: dict[str, str] = {}
    for n, person in zip(("", "2", "3"), rng.sample(PEOPLE, 3), strict=True):
        slots |= {f"p{n}": person.name, f"him{n}": person.him}
        slots |= {f"he{n}": person.he, f"He{n}": person.he.capitalize()}
        slots |= {f"his{n}": person.his, f"His{n}": person.his.capitalize()}
    for n, thing in zip(("", "2"), rng.sample(THINGS, 2), strict=True):
        slots |= {f"item{n}": thing.one, f"items{n}": thing.many}
    for n, thing in zip(("", "2"), rng.sample(CONTAINERS, 2), strict=True):
        slots |= {f"box{n}": thing.one, f"boxes{n}": thing.many}
    return slots


def _fill(text: str, slots: dict[str, str], values: dict[str, int], rng: Random) -> str:
    def value_of(match: re.Match[str]) -> str:
        if match[1] in slots:
            return slots[match[1]]
        value = values[match[1]]
        return in_words(value) if match[2] else str(value)

    filled = _SLOT.sub(value_of, fill_picks(text, rng))
    return _SENTENCE_START.sub(lambda match: match[0].upper(), filled)
