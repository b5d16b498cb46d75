"""Draw the numbers of a template so that every step has a whole, non-negative, small enough value.

Rejection sampling, helped where it would rarely hit: a dividend that stands in the question is
drawn as divisor times quotient, and one factor of a product stays a single digit.
"""

from __future__ import annotations

from random import Random

from motet.data.tiny.arithmetic import Step, evaluate
from motet.data.tiny.templates import Template, TemplateError

__all__ = ["draw_numbers", "solve"]

_MAX_VALUE = 9_999
_MAX_IN_WORDS = 20
_MAX_TRIES = 20_000
_MAX_EXPANDED_PRODUCT = 999
_SPANS = ((2, 20), (2, 99), (10, 400))
_SPAN_SHARES = (0.45, 0.48, 0.07)


def draw_numbers(template: Template, rng: Random) -> tuple[dict[str, int], list[Step]]:
    """Values for the numbers of the question, and the steps with numbers filled in."""
    for _ in range(_MAX_TRIES):
        values = _draw_once(template, rng)
        try:
            steps = solve(template, values)
        except ValueError:
            continue
        if all(_is_reasonable(step, rng) for step in steps):
            return values, steps
    raise TemplateError(
        f"{template.place}: no numbers fit S: in {_MAX_TRIES} tries; give ranges in R:"
    )


def solve(template: Template, values: dict[str, int]) -> list[Step]:
    """The steps with numbers filled in; ValueError where a value is negative or not whole."""
    known = dict(values)
    steps = []
    for index, step in enumerate(template.steps, start=1):
        x, y = (known[name] if name in known else int(name) for name in (step.x, step.y))
        steps.append(Step(x, step.op, y))
        known[f"r{index}"] = evaluate(steps[-1])
    return steps


def _draw_once(template: Template, rng: Random) -> dict[str, int]:
    span = rng.choices(_SPANS, _SPAN_SHARES)[0]
    values = {name: rng.randint(*_range_of(name, template, span)) for name in template.numbers}
    for step in template.steps:
        free = [name for name in (step.x, step.y) if name in values and name not in template.ranges]
        if step.op == "*" and free and max(values.get(n, 0) for n in (step.x, step.y)) > 9:
            small = step.y if step.y in free else free[0]
            values[small] = rng.randint(2, 9)
        elif step.op == "/":
            if step.y in free:
                values[step.y] = rng.randint(2, 9)
            if step.x in values:
                divisor = values.get(step.y) or (int(step.y) if step.y.isdigit() else 1)
                values[step.x] = _multiple(divisor, _range_of(step.x, template, (2, 400)), rng)
    return values


def _range_of(name: str, template: Template, span: tuple[int, int]) -> tuple[int, int]:
    if name in template.ranges:
        return template.ranges[name]
    return (2, _MAX_IN_WORDS) if name in template.in_words else span


def _multiple(divisor: int, span: tuple[int, int], rng: Random) -> int:
    low, high = -(-span[0] // divisor), span[1] // divisor
    return divisor * rng.randint(max(low, 1), max(high, 1))


def _is_reasonable(step: Step, rng: Random) -> bool:
    value = evaluate(step)
    if value > _MAX_VALUE or (value < 2 and rng.random() < 0.9):
        return False
    if step.op == "*" and min(step.x, step.y) > 9:
        return max(step.x, step.y) <= _MAX_EXPANDED_PRODUCT
    return step.op != "/" or step.y < 13 or step.y % 10 == 0 or step.y == 25
