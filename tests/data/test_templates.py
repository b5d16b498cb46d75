"""Template files: what is read, and what is said about a fault."""

from __future__ import annotations

import re
from random import Random

import pytest

from motet.data.tiny.mixture import load_templates
from motet.data.tiny.operands import draw_numbers
from motet.data.tiny.problems import draw_problem, fill_picks
from motet.data.tiny.templates import TemplateError, TemplateStep, parse_templates

GOOD = """
# a comment
Q: {p} has {a} {items} and {b:w} boxes. How many?
S: a + b; r1 * 2
A: {p} has {ans}.
R: a 10-20

Q: {c} by {d}?
S: c / d
A: {ans}
"""


def test_a_file_is_read() -> None:
    first, second = parse_templates(GOOD, "f.txt")
    assert first.steps == (TemplateStep("a", "+", "b"), TemplateStep("r1", "*", "2"))
    assert first.numbers == ("a", "b")
    assert first.in_words == {"b"}
    assert first.ranges == {"a": (10, 20)}
    assert (first.place, second.place) == ("f.txt:3", "f.txt:8")


def test_a_list_is_put_in_place_of_its_name() -> None:
    text = "D: verb = buys|gets\n\nQ: {p} [finds|@verb] {a}.\nS: a + 1\nA: {ans}"
    (template,) = parse_templates(text, "f")
    assert template.question == "{p} [finds|buys|gets] {a}."
    with pytest.raises(TemplateError, match="f:1: unknown list @verb"):
        parse_templates("Q: [@verb] {a}", "f")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q: {a}\nS: a + 1", "f:1: the block has no A: line"),
        ("hello", "f:1: expected a line Q:, S:, A: or R:"),
        ("\n\nQ: {a}\nQ: {a}", "f:4: a second Q:"),
        ("Q: {a}\nS: a plus 1\nA: {ans}", "f:1: expected a step like"),
        ("Q: {a}\nS: a + b\nA: {ans}", "f:1: step 1 uses 'b'"),
        ("Q: {a}\nS: a + r1\nA: {ans}", "f:1: step 1 uses 'r1'"),
        ("Q: {a} {who}\nS: a + 1\nA: {ans}", "f:1: unknown slot {who}"),
        ("Q: {a} {ans}\nS: a + 1\nA: {ans}", "f:1: unknown slot {ans}"),
        ("Q: {a} [x|[y]]\nS: a + 1\nA: {ans}", "f:1: brackets"),
        ("Q: {a}\nS: a + 1\nA: none", "f:1: the answer A: does not contain {ans}"),
        ("Q: {a}\nS: a + 1\nA: {ans}\nR: a 9-2", "f:1: expected a range"),
        ("Q: {a}\nS: a + 1\nA: {ans}\nR: b 2-9", "f:1: R: names 'b'"),
        ("Q: {a}\nS: a+1; a+1; a+1; a+1\nA: {ans}", "f:1: 4 steps"),
    ],
)
def test_a_fault_is_told_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(message)):
        parse_templates(text, "f")


def test_numbers_that_cannot_be_are_told() -> None:
    (template,) = parse_templates("Q: {a} {b}\nS: a - b\nA: {ans}\nR: a 2-3, b 50-60", "f")
    with pytest.raises(TemplateError, match="f:1: no numbers fit"):
        draw_numbers(template, Random(0))


def test_picks_leave_no_stray_spaces() -> None:
    rng = Random(0)
    texts = {fill_picks("How many [now|] ?", rng) for _ in range(20)}
    assert texts == {"How many now?", "How many?"}


@pytest.mark.parametrize("pattern", ["train_*.txt", "gsm8k.txt", "heldout.txt", "development.txt"])
def test_every_template_of_the_package_can_be_drawn(pattern: str) -> None:
    templates = load_templates(pattern)
    assert len(templates) >= 60
    for template in templates:
        task = draw_problem(template, Random(template.place))
        assert not re.search(r"[{}\[\]|]", task.question + task.reply), template.place
        assert task.answer in task.reply
        assert task.lines[-1].text.endswith(task.answer)


def test_held_out_questions_are_no_training_questions() -> None:
    def stories(pattern: str) -> set[str]:
        questions = [template.question for template in load_templates(pattern)]
        return {re.sub(r"[^a-z]+", " ", question.lower()) for question in questions}

    assert not stories("heldout.txt") & (stories("train_*.txt") | stories("gsm8k.txt"))
