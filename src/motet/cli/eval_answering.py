"""What `motet eval gsm8k` and `jsonl` do with questions: ask, keep, count, show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from motet.cli.eval_options import AskingOptions
from motet.cli.eval_subject import Subject, subject_of
from motet.cli.json_line import json_line
from motet.cli.measuring import provenance
from motet.cli.progress import progress
from motet.cli.provenance import check_provenance, write_provenance
from motet.eval.questions import report
from motet.eval.questions.figures import Figures
from motet.eval.questions.page import write_page
from motet.eval.questions.question import Question
from motet.eval.questions.results import Results
from motet.eval.questions.trial import Ask, Said, Trial, asks_of, trial_of
from motet.protocol.printable import printable

__all__ = ["Asked", "Exam", "answer_questions", "plain_console", "trials_of"]

_PLAIN_WIDTH = 110  # of tables where no terminal says how wide it is


@dataclass(frozen=True)
class Exam:
    """Questions and where they came from. meta: the same, to be written beside the answers."""

    questions: list[Question]
    source: str
    meta: dict[str, Any]

    @classmethod
    def of_file(cls, file: Path, read: Callable[[], list[Question]], **meta: Any) -> Exam:
        """The questions that `read` reads from `file`."""
        questions = read()
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return cls(questions, str(file), {"file": file.name, "sha256": digest, **meta})


@dataclass(frozen=True)
class Asked:
    """What came of an exam. subject: who was asked."""

    subject: Subject
    trials: list[Trial]


def answer_questions(model: str, exam: Exam, options: AskingOptions) -> None:
    """Ask a model, or go on asking it; print what came out and one line of JSON."""
    asked = trials_of(model, exam, options)
    figures = Figures.of(asked.trials)
    if not options.json_only:
        _show(asked.subject.name, exam, options, figures)
    facts = {
        **provenance(secret=options.api_key),
        "model": asked.subject.name,
        "questions": exam.meta | {"source": exam.source},
        "seed": options.seed,
        "asked": asked.subject.meta,
        **report.figures_json(figures),
        "output": None if options.output is None else str(options.output),
    }
    if options.report is not None:
        write_page(options.report, facts, figures, asked.trials, exam.questions)
    typer.echo(json_line(facts))


def trials_of(model: str, exam: Exam, options: AskingOptions) -> Asked:
    """The trials of all questions, in order; those that the output has are not asked again."""
    subject = subject_of(model, options)
    meta = {**subject.meta, "questions": exam.meta, "seed": options.seed}
    asks = asks_of(exam.questions, options.samples, options.seed, options.prompt)
    if options.output is not None:
        check_provenance(options.output, meta)
    with Results(options.output) as results:
        missing = results.missing(asks)
        if options.output is not None:
            write_provenance(options.output, meta)
        _ask(subject, missing, results, options.batch_size, len(asks) - len(missing))
        return Asked(subject, results.of(asks))


def _ask(
    subject: Subject, asks: Sequence[Ask], results: Results, at_once: int, num_done: int
) -> None:
    if not asks:
        return
    with progress(Console(stderr=True), len(asks) + num_done, num_done) as advance:

        def hear(ask: Ask, said: Said) -> None:
            results.add(trial_of(ask, said))
            advance()

        subject.asker.ask(asks, hear, min(at_once, len(asks)))


def plain_console() -> Console:
    """For tables; of a fixed width where there is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def _show(name: str, exam: Exam, options: AskingOptions, figures: Figures) -> None:
    console = plain_console()
    times = "" if options.samples == 1 else f", {options.samples} samples of each"
    what = f"{len(exam.questions)} questions of {exam.source}{times}, seed {options.seed}"
    typer.echo(f"{printable(name)}: {printable(what)}\n")
    console.print(report.rates_table(figures))
    typer.echo(f"\n{report.failures_line(figures)}")
    for table in (report.rows_table(figures), report.voices_table(figures)):
        if table is not None:
            typer.echo()
            console.print(table)
    typer.echo()
