"""The report for people: one HTML file with the figures, plots, and examples of every outcome.

It loads nothing from anywhere, and whatever a model has said in it is text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from motet.errors import InputError
from motet.eval.questions import charts
from motet.eval.questions.figures import Figures, Rate, by_question, mean_rate
from motet.eval.questions.judging import Outcome
from motet.eval.questions.question import Identifier, Question
from motet.eval.questions.report import FAILURES, percent, rates, spreads
from motet.eval.questions.trial import Trial

__all__ = ["write_page"]

NUM_EXAMPLES = 8
NUM_GROUPS = 4


def write_page(
    path: Path,
    facts: Mapping[str, Any],
    figures: Figures,
    trials: Sequence[Trial],
    questions: Sequence[Question],
) -> None:
    """Write the report, whole or not at all; InputError if there is no room for it."""
    texts = {question.id: question.text for question in questions}
    page = _template().render(
        facts=facts,
        rates=[(name, *_cells(rate)) for name, rate in rates(figures)],
        outcomes=_outcomes(figures),
        plots=[
            (f"{name[0].upper()}{name[1:]}", Markup(charts.histogram(values, "rows")))
            for (name, _), values in zip(spreads(figures), _rows(trials), strict=True)
        ],
        voices=_voices(figures),
        lengths=_lengths(trials, texts),
        shown=[
            (outcome.value, [(trial, texts[trial.id]) for trial in examples])
            for outcome in (*FAILURES, Outcome.RIGHT)
            if (examples := _examples(trials, outcome))
        ],
    )
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(page, "utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError("--report", expected="a file that can be written", got=error) from None


def _template() -> jinja2.Template:
    source = (files("motet.eval.questions") / "page.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source)


def _cells(rate: Rate) -> tuple[str, str, int]:
    low, high = rate.interval
    return percent(rate.share), f"{100 * low:.1f} to {100 * high:.1f}", rate.num_trials


def _outcomes(figures: Figures) -> Markup:
    total = sum(figures.outcomes.values())
    rows = [
        (outcome.value, float(count), f"{count} ({percent(count / total)})")
        for outcome, count in figures.outcomes.items()
    ]
    return Markup(charts.bars(rows, total))


def _rows(trials: Sequence[Trial]) -> list[list[float]]:
    """The values behind `spreads`, of those that are known."""
    columns = ([trial.num_rows for trial in trials], [trial.wait_rows for trial in trials])
    known = ([float(value) for value in column if value is not None] for column in columns)
    return [values for values in known if values]


def _voices(figures: Figures) -> Markup | None:
    rows = [
        (name, voice.fill, f"{percent(voice.fill)}, {voice.num_spoken.mean:.1f} rows")
        for name, voice in figures.voices.items()
    ]
    return Markup(charts.bars(rows, 1.0)) if rows else None


def _lengths(trials: Sequence[Trial], texts: Mapping[Identifier, str]) -> Markup | None:
    """Right answers in four groups of questions, shortest to longest."""
    questions = sorted(by_question(trials), key=lambda question: len(texts[question[0].id].split()))
    if len(questions) < 2 * NUM_GROUPS:
        return None
    size = -(-len(questions) // NUM_GROUPS)
    rows = []
    for start in range(0, len(questions), size):
        group = questions[start : start + size]
        words = [len(texts[question[0].id].split()) for question in (group[0], group[-1])]
        rate = mean_rate(group, lambda trial: trial.is_right)
        share, interval, _ = _cells(rate)
        label = f"{words[0]} to {words[1]} words"
        rows.append((label, rate.share, f"{share} ({interval}), n = {len(group)}"))
    return Markup(charts.bars(rows, 1.0))


def _examples(trials: Sequence[Trial], outcome: Outcome) -> list[Trial]:
    """A few trials that came out so, each of another question."""
    first = {trial.id: trial for trial in reversed(trials) if trial.outcome is outcome}
    return list(reversed(first.values()))[:NUM_EXAMPLES]
