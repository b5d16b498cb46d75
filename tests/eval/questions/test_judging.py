"""What a reply gives as its answer, and whether that is right."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.eval.questions.extraction import Place, find_choice, find_number
from motet.eval.questions.judging import AnswerKind, Outcome, judge, kind_of, shown


@pytest.mark.parametrize(
    ("reply", "value", "place"),
    [
        ("Each friend gets 28 cards.", 28, Place.LAST),
        ("47+38=85, so it is 85.", 85, Place.LAST),
        ("9 * 2 = 18\n#### 18", 18, Place.HASHES),
        ("#### 17\nNo.\n#### 1,800 dollars\nThat took 3 steps.", 1800, Place.HASHES),
        (r"So \boxed{5} or rather \boxed{x = \frac{3}{4}}, which 100 people know",
         Fraction(3, 4), Place.BOXED),
        (r"\boxed{1{,}200 \text{ km}}", 1200, Place.BOXED),
        (r"\boxed{18", 18, Place.LAST),
        ("The answer is 6 * 3 = 18 dollars. He has 4 left.", 18, Place.STATED),
        ("**Answer:** $-2.50", Fraction(-5, 2), Place.STATED),
        ("The answer is simple. She has 12.", 12, Place.LAST),
        ("The final answer is 3.5 m. 9", Fraction(7, 2), Place.STATED),
        ("The answer is twelve.", 12, Place.STATED),
        ("Twenty-eight cards each.", 28, Place.WORDS),
        ("Of the two, 5 are left.", 5, Place.LAST),
    ],
)  # fmt: skip
def test_the_answer_of_a_reply(reply: str, value: Fraction, place: Place) -> None:
    found = find_number(reply)
    assert found is not None
    assert (found.value, found.place) == (value, place)


def test_without_numbers_there_is_no_answer() -> None:
    assert find_number("I don't know.") is None
    assert find_number(r"\boxed{?}  ####  The answer is: ") is None


@given(st.text(max_size=80))
def test_any_reply_can_be_judged(reply: str) -> None:
    for gold in ("7", "B", "green", "+"):
        judged = judge(reply, gold)
        assert (judged.outcome is Outcome.MUTE) == (not reply.strip())


@given(st.fractions(max_denominator=4000))
def test_a_shown_number_is_the_number(value: Fraction) -> None:
    assert Fraction(shown(value)) == value
    found = find_number(f"It is {shown(value)}.")
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize(
    ("reply", "gold", "outcome"),
    [
        ("That makes $1,200.00.", "1200", Outcome.RIGHT),
        ("3/4", "0.75", Outcome.RIGHT),
        ("It is 13.", "12", Outcome.WRONG),
        ("It is 1200.5", "1200", Outcome.WRONG),
        ("no idea", "12", Outcome.UNPARSABLE),
        (" \n", "12", Outcome.MUTE),
        ("The answer is (B).", "B", Outcome.RIGHT),
        ("A dog is an animal, so C", "C", Outcome.RIGHT),
        ("A dog is an animal", "A", Outcome.UNPARSABLE),
        ("B", "(c)", Outcome.WRONG),
        ("It is a green  frog!", "Green frog", Outcome.RIGHT),
        ("It is evergreen.", "green", Outcome.WRONG),
        ("The answer is red. Grass is green.", "green", Outcome.WRONG),
        ("c++", "++", Outcome.RIGHT),
    ],
)
def test_outcomes(reply: str, gold: str, outcome: Outcome) -> None:
    assert judge(reply, gold).outcome is outcome


@pytest.mark.parametrize("reply", ["It is 13", "hm"])
def test_what_was_cut_off_is_endless_unless_it_is_right(reply: str) -> None:
    assert judge(reply, "12", ended=False).outcome is Outcome.ENDLESS
    assert judge("It is 12", "12", ended=False).outcome is Outcome.RIGHT
    assert judge("", "12", ended=False).outcome is Outcome.MUTE


def test_equal_answers_have_one_form() -> None:
    assert judge("1,200.0", "3").answer == judge("It is 1200", "3").answer == "1200"
    assert judge("It is green.", "green").answer == judge("green", "green").answer


def test_kinds_of_answers() -> None:
    kinds = [kind_of(gold) for gold in ("-1,200.5", "3/4", "45%", "B", "(c)", "(C)", "18 dollars")]
    number, choice, text = AnswerKind.NUMBER, AnswerKind.CHOICE, AnswerKind.TEXT
    assert kinds == [number, number, number, choice, text, choice, text]


def test_choices() -> None:
    assert find_choice("I think B, no, C.") == "C"
    assert find_choice("I am sure") is None
