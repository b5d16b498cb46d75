"""Stories put together from clauses: every plot is told, and its steps are those of the text."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from motet.data.tiny import plot
from motet.data.tiny.clauses import read_clauses
from motet.data.tiny.plot import draw_plot, num_steps
from motet.data.tiny.problems import draw_problem
from motet.data.tiny.story import compose_story


def test_every_clause_file_line_has_a_kind_that_a_plot_knows() -> None:
    clauses, _ = read_clauses()
    kinds = {kind for domain in clauses.values() for kind in domain} - {"needless"}
    assert kinds == set(plot.STEPS)


def test_every_end_has_a_reply_with_the_answer() -> None:
    clauses, _ = read_clauses()
    for domain in clauses.values():
        for kind, texts in domain.items():
            for text in texts:
                _, arrow, reply = text.partition(" => ")
                assert bool(arrow) is (kind in plot.ENDS), text
                assert not arrow or "{ans}" in reply, text
                assert not re.search(r"\{(s|he|his|him)\}|\[", reply), text


def test_a_clause_names_the_numbers_of_its_steps() -> None:
    clauses, _ = read_clauses()
    for domain, kinds in clauses.items():
        for kind, texts in kinds.items():
            if domain == "needless" or kind == "start":
                wanted = {"n"}
            else:
                wanted = set(re.findall(r"\b[nmkl]\b", plot.STEPS[kind]))
            for text in texts:
                assert set(re.findall(r"\{([nmkl])\}", text)) == wanted, (domain, kind, text)


def test_stories_can_be_solved_and_say_their_numbers() -> None:
    rng = Random(0)
    for _ in range(1_500):
        template = compose_story(rng)
        assert 1 <= len(template.steps) <= 3
        operands = {name for step in template.steps for name in (step.x, step.y)}
        assert {name for name in operands if name.isalpha()} <= set(template.numbers)
        task = draw_problem(template, rng)
        assert not re.search(r"[{}\[\]|@]|=>", task.question + task.reply), task
        assert task.answer in task.reply
        assert task.lines[-1].text.endswith(task.answer)


def test_a_plot_has_one_to_three_steps() -> None:
    rng = Random(1)
    clauses, _ = read_clauses()
    counts: Counter[int] = Counter()
    for _ in range(3_000):
        counts[sum(map(num_steps, draw_plot(clauses["things"], rng)))] += 1
    assert set(counts) == {1, 2, 3}
    assert min(counts.values()) > 400


def test_what_the_steps_of_a_plot_are() -> None:
    wanted = {
        "story:start.plus.ask": ["a+b"],
        "story:groups.minus.ask": ["a*b", "r1-c"],
        "story:rfewer.askboth": ["b-a", "b+r1"],
        "story:start.otimes.askboth": ["a*b", "a+r1"],
        "story:start.need": ["b-a"],
        "story:orders.ask": ["a*b", "c*d", "r1+r2"],
        "story:pair.share": ["a+b", "r1/c"],
        "story:start.ohalf.askother": ["a/2"],
        "story:start.lessgroups.askleft": ["b*c", "a-r1"],
        "story:pair.otimes.askdiff": ["a+b", "r1*c", "r2-r1"],
        "story:before.askbefore": ["b+a"],
        "story:unit.askunit": ["b/a", "r1*c"],
    }
    rng = Random(2)
    found: dict[str, set[tuple[str, ...]]] = {}
    for _ in range(20_000):
        template = compose_story(rng)
        if template.place in wanted and len(template.numbers) == _num_letters(template.steps):
            steps = tuple(f"{step.x}{step.op}{step.y}" for step in template.steps)
            found.setdefault(template.place, set()).add(steps)
    assert {place: {tuple(steps)} for place, steps in wanted.items()} == found


def _num_letters(steps: tuple[object, ...]) -> int:
    """How many numbers the steps use: a story with a needless one has more."""
    return len(set(re.findall(r"'([a-h])'", repr(steps))))
