"""Bare sums, asked in many ways: "47+38=", "What is 6 times 24?", "12 + 30 - 5"."""

from __future__ import annotations

from random import Random

from motet.data.tiny.arithmetic import Step, evaluate
from motet.data.tiny.lines import Line, Task
from motet.data.tiny.problems import fill_picks, working

__all__ = ["draw_sum"]

_SYMBOLS = {"+": ["+", " + "], "-": ["-", " - "], "*": ["*", " * ", " x "], "/": ["/", " / "]}
_WORDS = {
    "+": ["plus", "and"],
    "-": ["minus", "take away", "less"],
    "*": ["times", "multiplied by"],
    "/": ["divided by", "over"],
}
_SPOKEN = {
    "+": ["the sum of {x} and {y}", "{x} added to {y}", "the total of {x} and {y}"],
    "-": ["the difference between {x} and {y}", "{y} subtracted from {x}", "{x} take away {y}"],
    "*": ["the product of {x} and {y}", "{x} groups of {y}"],
    "/": ["{x} divided by {y}", "the quotient of {x} and {y}"],
}
_ASK = (
    "[What is|What's|Calculate|Compute|Work out|How much is|Please calculate|Can you work out|"
    "Tell me|Find|Solve] {sum}[?|.|]"
)
_BARE = ("{sum}", "{sum}=", "{sum} =", "{sum} = ?", "{sum}?")
_REPLY = "[{sum} = {ans}|The answer is {ans}|That is {ans}|It is {ans}]."
_LARGER = (
    "[Which|Which number|What] is [larger|bigger|greater], {x} or {y}?",
    "[Which|Which number] is [smaller|less], {x} or {y}?",
)


def draw_sum(rng: Random) -> Task:
    """A sum of one operation (mostly), two or three, or a comparison of two numbers."""
    kind = rng.random()
    if kind < 0.06:
        return _draw_comparison(rng)
    if kind < 0.78:
        return _draw_one_operation(rng)
    return _draw_chain(rng)


def _draw_step(rng: Random) -> Step:
    op = rng.choices("+-*/", (3, 3, 3, 2))[0]
    high = rng.choices((20, 99, 999, 4999), (2, 6, 3, 1))[0]
    x, y = rng.randint(1, high), rng.randint(1, rng.choice((high, 99)))
    if op == "-":
        x, y = max(x, y), min(x, y)
    elif op == "*":
        x = min(x, 999)
        y = rng.randint(2, 9) if rng.random() < 0.8 else rng.randint(10, 99)
        x, y = (x, y) if rng.random() < 0.5 else (y, x)
    elif op == "/":
        y = rng.randint(2, 9) if rng.random() < 0.9 else rng.choice((10, 11, 12, 15, 20, 25))
        x = y * rng.randint(2, rng.choice((12, 99, 400)))
    return Step(x, op, y)


def _draw_one_operation(rng: Random) -> Task:
    step = _draw_step(rng)
    form = rng.random()
    if form < 0.35:
        text = f"{step.x}{rng.choice(_SYMBOLS[step.op])}{step.y}"
    elif form < 0.7:
        text = f"{step.x} {rng.choice(_WORDS[step.op])} {step.y}"
    else:
        text = rng.choice(_SPOKEN[step.op]).format(x=step.x, y=step.y)
    shown = text if form < 0.35 else str(step)
    return _task(text, shown, [step], rng, bare=form < 0.35 and rng.random() < 0.5)


def _draw_chain(rng: Random) -> Task:
    """Two or three additions and subtractions from left to right, or a product and a sum."""
    x = rng.randint(2, 99)
    text, steps = str(x), []
    for _ in range(rng.choice((2, 2, 3))):
        op = rng.choice("+-") if x > 2 else "+"
        y = rng.randint(1, 99 if op == "+" else x)
        steps.append(Step(x, op, y))
        text += f" {op} {y}"
        x = evaluate(steps[-1])
    if rng.random() < 0.4:
        product = Step(rng.randint(2, 99), "*", rng.randint(2, 9))
        steps = [product, Step(evaluate(product), "+", rng.randint(2, 99))]
        text = f"{product.x} * {product.y} + {steps[1].y}"
        if rng.random() < 0.5:
            text = f"{steps[1].y} + {product.x} * {product.y}"
    return _task(text, text, steps, rng, bare=rng.random() < 0.4)


def _task(text: str, shown: str, steps: list[Step], rng: Random, *, bare: bool) -> Task:
    answer = str(evaluate(steps[-1]))
    form = rng.choice(_BARE) if bare else fill_picks(_ASK, rng)
    reply = fill_picks(_REPLY, rng).format(sum=shown, ans=answer)
    return Task(form.format(sum=text), working(steps), reply, answer, "sum", "sums")


def _draw_comparison(rng: Random) -> Task:
    x, y = rng.sample(range(2, rng.choice((30, 100, 1000))), 2)
    wants_larger = rng.random() < 0.5
    question = fill_picks(_LARGER[0 if wants_larger else 1], rng).format(x=x, y=y)
    answer = str(max(x, y) if wants_larger else min(x, y))
    line = Line(f"{x}{'>' if x > y else '<'}{y} -> {answer}")
    word = "larger" if wants_larger else "smaller"
    return Task(question, (line,), f"{answer} is {word}.", answer, "sum", "sums")
