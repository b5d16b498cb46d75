"""The writer of arithmetic is exact, and a planted slip is always told apart from the truth."""

from __future__ import annotations

import re
from random import Random

import pytest

from motet.data.tiny.arithmetic import Slip, Step, evaluate, expand, num_facts, write
from motet.data.tiny.mistakes import plant


def random_step(rng: Random) -> Step:
    op = rng.choice("+-*/")
    high = rng.choice((9, 99, 999, 9_999))
    x, y = rng.randint(0, high), rng.randint(0, high)
    if op == "-":
        x, y = max(x, y), min(x, y)
    elif op == "*":
        x, y = x % 1_000, y % 1_000
    elif op == "/":
        y = rng.randint(1, 40)
        x = y * rng.randint(0, 999)
    return Step(x, op, y)


def value_of(expression: str) -> int:
    """A left side of single-digit facts: + and - from the left, one * or / at most before them."""
    assert re.fullmatch(r"[\d+*/-]+", expression)
    value = eval(re.sub(r"\b0+(?=\d)", "", expression))
    assert value == int(value)
    return int(value)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step(47, "+", 38), "47+38: 7+8=15, 4+3+1=8 -> 85"),
        (Step(8, "+", 147), "8+147: 8+7=15, 4+1=5 -> 155"),
        (Step(53, "-", 28), "53-28: 13-8=5, 5-2-1=2 -> 25"),
        (Step(1000, "-", 1), "1000-1: 10-1=9, 10-1=9, 10-1=9, 1-1=0 -> 999"),
        (Step(147, "*", 6), "147*6: 7*6=42, 4*6+4=24+4=28, 1*6+2=6+2=8 -> 882"),
        (Step(40, "*", 50), "40*50: 4*5=20 -> 2000"),
        (Step(612, "/", 6), "612/6: 6/6=1, 1/6=0 r1, 12/6=2 -> 102"),
        (Step(6, "*", 7), "6*7=42"),
        (Step(15, "-", 8), "15-8=7"),
        (Step(240, "/", 10), "240/10=24"),
    ],
)
def test_a_step_is_written_as_by_hand(step: Step, line: str) -> None:
    assert write(step)[0] == line


def test_ten_thousand_steps_are_exact() -> None:
    rng = Random(0)
    for _ in range(10_000):
        step = random_step(rng)
        parts = expand(step)
        for part in parts:
            text, value = write(part)
            assert value == evaluate(part)
            assert text.endswith(str(value))
        assert evaluate(parts[-1]) == evaluate(step)


def test_every_fact_of_a_line_is_true() -> None:
    rng = Random(1)
    for _ in range(2_000):
        text, _ = write(rng.choice(expand(random_step(rng))))
        for fact in text.partition(": ")[2].partition(" -> ")[0].split(", "):
            left, *rights = fact.split("=")
            for right in filter(None, rights):
                if quotient := re.fullmatch(r"(\d+) r(\d+)", right):
                    part, divisor = map(int, left.split("/"))
                    assert divmod(part, divisor) == tuple(map(int, quotient.groups()))
                else:
                    assert value_of(left) == value_of(right)


def test_facts_are_small_enough_to_look_up() -> None:
    rng = Random(2)
    for _ in range(2_000):
        x, y = rng.randint(10, 9_999), rng.randint(10, 9_999)
        facts = write(Step(max(x, y), "-", min(x, y)))[0].partition(": ")[2].partition(" ->")[0]
        assert all(int(n) <= 19 for n in re.findall(r"\d+", facts))


@pytest.mark.parametrize("step", [Step(3, "-", 5), Step(7, "/", 2), Step(7, "/", 0)])
def test_a_step_without_a_whole_value_is_refused(step: Step) -> None:
    with pytest.raises(ValueError, match="no value that is a whole number"):
        write(step)


def test_a_slip_falsifies_one_fact() -> None:
    lines = [
        write(Step(47, "+", 38), Slip(at, lambda value: value + 1))[0]
        for at in range(num_facts(Step(47, "+", 38)))
    ]
    assert lines == [
        "47+38: 7+8=16, 4+3+1=8 -> 86",
        "47+38: 7+8=15, 4+3+1=9 -> 95",
        "47+38: 7+8=15, 4+3+1=8 -> 86",
    ]


def test_a_planted_line_is_never_the_right_one() -> None:
    rng = Random(3)
    for _ in range(5_000):
        step = rng.choice(expand(random_step(rng)))
        assert plant(step, rng) != write(step)[0]
