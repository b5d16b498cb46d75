"""What measures a model is not what it was trained on: no eight words in a row are shared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import as_file, files

from motet.data.tiny.mixture import load_templates
from motet.data.tiny.templates import Template, parse_templates

NUM_WORDS = 8
MEASURING = ("heldout.txt", "development.txt")

Runs = set[tuple[str, ...]]


def runs_of(question: str) -> Runs:
    """Runs of `NUM_WORDS` words; a slot or a number is one word, of alternatives the first."""
    text = re.sub(r"\{[^}]*\}|\d+", " # ", question)
    text = re.sub(r"\[([^\]|]*)[^\]]*\]", r"\1", text)
    words = re.findall(r"[a-z]+|#", text.lower())
    return {tuple(words[i : i + NUM_WORDS]) for i in range(len(words) - NUM_WORDS + 1)}


def by_hand() -> Iterator[str]:
    with as_file(files("motet.data.tiny") / "templates" / "byhand.jsonl") as path:
        yield from (json.loads(line)["question"] for line in path.read_text("utf-8").splitlines())


def measured_runs() -> Runs:
    questions = [t.question for name in MEASURING for t in load_templates(name)]
    return set().union(*map(runs_of, [*questions, *by_hand()]))


def overlapping(templates: list[Template]) -> list[str]:
    measured = measured_runs()
    return [t.place for t in templates if runs_of(t.question) & measured]


def test_no_training_template_repeats_a_measuring_one() -> None:
    assert overlapping(load_templates("train_*.txt")) == []


def test_an_overlap_would_be_found() -> None:
    (copied,) = load_templates("heldout.txt")[:1]
    block = f"Q: Listen. {copied.question}\nS: 1 + 1\nA: It is {{ans}}.\n"
    assert overlapping(parse_templates(block, "copy"))
