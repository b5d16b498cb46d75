"""Exact arithmetic of annotated steps, against Python's own and on anything else that is typed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.data.project.steps import Step, StepError, evaluate, read_step

numbers = st.integers(0, 10**6).map(str) | st.decimals(
    0, 1000, places=2, allow_nan=False, allow_infinity=False
).map(str)
expressions = st.recursive(
    numbers,
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("".join)
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"(-{text})")
    ),
    max_leaves=8,
)


def by_python(expression: str) -> Fraction | None:
    """The value by Python's parser, with every number a fraction; None if it divides by zero."""
    spaced = "".join(f" {c} " if c in "+-*/()" else c for c in expression)
    source = " ".join(
        word if word in "+-*/()" else f"Fraction('{word}')" for word in spaced.split()
    )
    try:
        return Fraction(eval(source, {"Fraction": Fraction}))
    except ZeroDivisionError:
        return None


@given(expressions)
def test_the_value_is_that_of_python(expression: str) -> None:
    expected = by_python(expression)
    if expected is None:
        with pytest.raises(StepError):
            evaluate(expression)
    else:
        assert evaluate(expression) == expected


@given(st.text("0123456789.,+-*/x()$% =<", max_size=20))
def test_whatever_is_typed_is_a_step_or_a_step_error(text: str) -> None:
    try:
        step = read_step(text)
    except StepError:
        return
    assert isinstance(step.is_right, bool)


@pytest.mark.parametrize(
    ("annotation", "is_right"),
    [
        ("48/2=24", True),
        ("48/2=25", False),
        ("1,000+$500=1500", True),
        ("80,000*1.5=120000", True),
        ("3 x 4=12", True),
        ("+30+46=76", True),
        ("20%*50=10", True),
        ("5*-2=-10", True),
        ("10/3=3.33", True),
        ("10/3=3.34", True),  # either way of rounding the last place
        ("10/3=3.35", False),
        ("10/3=3", False),
        ("1/2=50%", True),
        (".5+.5=1", True),
        ("(2+3)*4=20", True),
        ("2+3*4=20", False),
    ],
)
def test_what_is_right(annotation: str, is_right: bool) -> None:
    assert read_step(annotation).is_right is is_right


@pytest.mark.parametrize(
    "annotation",
    ["", "=", "1+1", "1+1=", "=2", "1+=2", "180//3=60", "3/4=3/4", "a+1=2", "1/0=0", "(1+1=2",
     "1+1)=2", "1 1=11", "1**2=1", "1+1=2=2", "1+1=two", "1" * 300 + "=1", "(" * 150 + "=1"],
)  # fmt: skip
def test_what_is_no_arithmetic(annotation: str) -> None:
    with pytest.raises(StepError):
        read_step(annotation)


def test_a_step_knows_its_exact_value() -> None:
    assert Step("1/3+1/6", "0.5").value == Fraction(1, 2)
