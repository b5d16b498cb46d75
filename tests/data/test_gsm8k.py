"""Templates out of annotated solutions: what qualifies, and what is in doubt and does not."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from motet.data.tiny.gsm8k import templates_of

HALVES = (
    "John buys a box of 40 light bulbs. He uses 16 of them and then gives half of what is left "
    "to a friend. How many does he have left?"
)
HALVES_SOLUTION = (
    "After using 16, he has 40-16=<<40-16=24>>24.\nHe gives away 24/2=<<24/2=12>>12.\n#### 12"
)


def derive(question: str, answer: str) -> list[str]:
    return list(templates_of(iter([json.dumps({"question": question, "answer": answer})])))


def test_numbers_become_slots_and_calculations_steps() -> None:
    (block,) = derive(HALVES, HALVES_SOLUTION)
    assert block.splitlines()[:2] == [
        "Q: John buys a box of {a} light bulbs. He uses {b} of them and then gives half of what "
        "is left to a friend. How many does he have left?",
        "S: a - b; r1 / 2",
    ]


def test_number_words_stay_words() -> None:
    (block,) = derive("Five cats each eat 30 fish. How many?", "5*30=<<5*30=150>>150\n#### 150")
    assert block.startswith("Q: {a:w} cats each eat {b} fish.")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("4 cats and 4 dogs. How many?", "<<4+4=8>>8\n#### 8"),  # which 4 is meant?
        ("Two pairs of 9 socks. How many?", "<<9*2=18>>18\n#### 18"),  # the word, or the pair?
        ("9 cats. How many more than 5 less?", "<<9-3=6>>6\n#### 6"),  # 3 comes from nowhere
        ("7 kg at $1.50 each?", "<<7*2=14>>14\n#### 14"),  # not whole
        ("9 cats and 2 leave?", "<<9-2=7>>7\n#### 8"),  # the answer is another number
        ("9 cats and 2 leave?", "no calculation\n#### 7"),
        ("1 2 3 4 5?", "<<1+2=3>>3 <<3+3=6>>6 <<6+4=10>>10 <<10+5=15>>15\n#### 15"),
        (HALVES + " Tell me." * 20, HALVES_SOLUTION),  # too long
    ],
)
def test_what_is_in_doubt_is_left_out(question: str, answer: str) -> None:
    assert derive(question, answer) == []


def test_the_package_has_what_it_says() -> None:
    text = (files("motet.data.tiny") / "templates" / "gsm8k.txt").read_text("utf-8")
    assert text.startswith("# Derived from the training split of GSM8K (MIT licence)")
    assert text.count("\nQ: ") > 800
