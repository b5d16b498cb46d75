"""One step of arithmetic, written out the way it is done by hand.

    47+38: 7+8=15, 4+3+1=8 -> 85            columns from the right, the carry is the last summand
    53-28: 13-8=5, 5-2-1=2 -> 25            a borrowed ten in front, the ten lent before at the end
    147*6: 7*6=42, 4*6+4=24+4=28, 1*6+2=6+2=8 -> 882
    144/6: 14/6=2 r2, 24/6=4 -> 24          long division from the left
    6*7=42   13-8=5   42/6=7   24*10=240    facts that are known by heart

Every single fact has operands of a size that a small model can look up; columns that only copy
digits are left out. A `Slip` can falsify one fact: what follows is then computed from the false
value, as a person would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Fact", "Slip", "Step", "evaluate", "expand", "num_facts", "write"]

Fact = tuple[str, str]
"""The left side as written and the right value, e.g. ("7+8", "15")."""


@dataclass(frozen=True, slots=True)
class Step:
    """`x op y` on whole numbers, op one of + - * /; never below zero, division exact."""

    x: int
    op: str
    y: int

    def __str__(self) -> str:
        return f"{self.x}{self.op}{self.y}"


def evaluate(step: Step) -> int:
    """The value of a step; ValueError if it is negative or not whole."""
    match step.op:
        case "+":
            return step.x + step.y
        case "-" if step.x >= step.y:
            return step.x - step.y
        case "*":
            return step.x * step.y
        case "/" if step.y and step.x % step.y == 0:
            return step.x // step.y
    raise ValueError(f"{step} has no value that is a whole number >= 0")


@dataclass(slots=True)
class Slip:
    """Falsifies fact number `at` (from 0) of one line."""

    at: int
    falsify: Callable[[int], int]
    _seen: int = 0

    def value(self, right: int) -> int:
        """`right`, or a false value if it is this fact's turn."""
        self._seen += 1
        return self.falsify(right) if self._seen - 1 == self.at else right


def _digits(n: int) -> list[int]:
    """Ones first."""
    return [int(d) for d in reversed(str(n))]


def _number(digits: list[int]) -> int:
    return int("".join(str(d) for d in reversed(digits)) or "0")


def _add(x: int, y: int, slip: Slip) -> tuple[list[str], int]:
    xs, ys = _digits(x), _digits(y)
    facts, out, carry = [], [], 0
    for i in range(max(len(xs), len(ys))):
        column = [digits[i] for digits in (xs, ys) if i < len(digits)] + [carry] * (carry > 0)
        if len(column) == 1:
            out.append(column[0])
            carry = 0
            continue
        left = "+".join(map(str, column))
        total = slip.value(sum(column))
        facts.append(f"{left}={total}")
        out.append(total % 10)
        carry = total // 10
    return facts, _number(out + [carry] * (carry > 0))


def _subtract(x: int, y: int, slip: Slip) -> tuple[list[str], int]:
    xs, ys = _digits(x), _digits(y)
    facts, out, lent = [], [], 0
    for i, top in enumerate(xs):
        bottom = [ys[i]] if i < len(ys) else []
        taken = bottom + [1] * lent
        if not taken:
            out.append(top)
            continue
        lent = int(top < sum(taken))
        left = "-".join(map(str, [top + 10 * lent, *taken]))
        rest = slip.value(top + 10 * lent - sum(taken))
        facts.append(f"{left}={rest}")
        out.append(rest)
    return facts, _number(out)


def _multiply(x: int, y: int, slip: Slip) -> tuple[list[str], int]:
    """One of the two has a single digit once trailing zeros are set aside."""
    zeros = 0
    while x % 10 == 0:
        x, zeros = x // 10, zeros + 1
    while y % 10 == 0:
        y, zeros = y // 10, zeros + 1
    many, one = (x, y) if y < 10 else (y, x)
    facts, out, carry = [], [], 0
    for digit in _digits(many):
        left = f"{digit}*{one}"
        product = total = slip.value(digit * one)
        text = f"{left}={product}"
        if carry:
            total = slip.value(product + carry)
            text = f"{left}+{carry}={product}+{carry}={total}"
        facts.append(text)
        out.append(total % 10)
        carry = total // 10
    return facts, _number([0] * zeros + out + ([carry] if carry else []))


def _divide(x: int, y: int, slip: Slip) -> tuple[list[str], int]:
    while x % 10 == 0 and y % 10 == 0:
        x, y = x // 10, y // 10
    facts: list[str] = []
    out: list[int] = []
    part = 0
    for digit in reversed(_digits(x)):
        part = part * 10 + digit
        if part < y and not out:
            continue
        times, rest = divmod(part, y)
        left = f"{part}/{y}"
        if rest:
            rest = slip.value(rest)
            facts.append(f"{left}={times} r{rest}")
        else:
            times = slip.value(times)
            facts.append(f"{left}={times}")
        out.append(times)
        part = rest
    return facts, _number(out[::-1])


def _is_power_of_ten(n: int) -> bool:
    return n >= 1 and set(str(n)) <= {"0", "1"} and str(n).count("1") == 1


def _is_known_by_heart(step: Step) -> bool:
    x, op, y = step.x, step.op, step.y
    match op:
        case "+":
            return x < 10 and y < 10
        case "-":
            return y < 10 and x < 19 and x - y < 10
        case "*":
            return (x < 10 and y < 10) or 0 in (x, y) or _is_power_of_ten(x) or _is_power_of_ten(y)
    return x < 10 * y or _is_power_of_ten(y)


_BY_HAND = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide}
_NO_SLIP_AT = -1


def write(step: Step, slip: Slip | None = None) -> tuple[str, int]:
    """The line for one step and the value it arrives at (false only with a slip)."""
    slip = slip or Slip(_NO_SLIP_AT, lambda value: value)
    value = evaluate(step)
    if _is_known_by_heart(step):
        value = slip.value(value)
        return f"{step}={value}", value
    facts, value = _BY_HAND[step.op](step.x, step.y, slip)
    value = slip.value(value)
    return f"{step}: {', '.join(facts)} -> {value}", value


def num_facts(step: Step) -> int:
    """How many places a slip can falsify in the line of this step."""
    slip = Slip(_NO_SLIP_AT, lambda value: value)
    write(step, slip)
    return slip._seen


def expand(step: Step) -> list[Step]:
    """Split a product of two long factors by digits: 24*16 -> 24*6, 24*10, 144+240."""
    long_factors = step.op == "*" and min(len(str(n).rstrip("0")) for n in (step.x, step.y)) > 1
    if not long_factors:
        return [step]
    x, y = (step.x, step.y) if len(str(step.y)) <= len(str(step.x)) else (step.y, step.x)
    parts = [Step(x, "*", digit * 10**i) for i, digit in enumerate(_digits(y)) if digit]
    steps, total = parts[:1], evaluate(parts[0])
    for part in parts[1:]:
        steps += [part, Step(total, "+", evaluate(part))]
        total = evaluate(steps[-1])
    return steps
