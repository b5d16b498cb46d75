"""`motet eval compare A B`: two models or two settings on the same questions, tested in pairs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.eval_options import API_KEY, AskingOptions, with_asking_options
from motet.cli.json_line import json_line
from motet.engine import Feed
from motet.errors import InputError, SettingError
from motet.protocol.printable import printable
from motet.runtime.opening import CacheType, Dtype, RuntimeName
from motet.streams.layout import ConvMode

if TYPE_CHECKING:
    from motet.cli.eval_answering import Exam
    from motet.eval.questions.trial import Trial

_CHANGEABLE: dict[str, Callable[[str], Any]] = {
    "prompt": str, "answer_after": str, "max_rows": int, "feed": Feed, "temperature": float,
    "top_k": int, "top_p": float, "min_p": float, "repetition_penalty": float,
    "silence_penalty_output": float, "silence_penalty_thought": float, "quiet_rows": int,
    "mute_rows": int, "runtime": RuntimeName, "dtype": Dtype, "cache": CacheType,
    "device": str, "conv_mode": ConvMode,
}  # fmt: skip
_REPEATABLE = ("ablate", "sampling")
_SIDES = ("A", "B")


@partial(with_asking_options, without={"report"})
def compare(
    options: AskingOptions,
    a: Annotated[
        str, typer.Argument(metavar="A", help="A model, a server's URL, or a file of results.")
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, on the same questions.")],
    questions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSONL of questions, if a model is to be asked."),
    ] = None,
    set_a: Annotated[
        list[str] | None,
        typer.Option(metavar="OPTION=VALUE", help="For A alone, e.g. ablate=Think. Repeatable."),
    ] = None,
    set_b: Annotated[
        list[str] | None,
        typer.Option(metavar="OPTION=VALUE", help="For B alone."),
    ] = None,
) -> None:
    """Compare two models, or a model with itself under other settings, question by question.

    Both get the same questions with the same seeds. Prints the difference of their accuracies with
    its 95 % interval (bootstrap over questions) and McNemar's exact test, and one line of JSON.
    With --output, trials go to FILE.a.jsonl and FILE.b.jsonl.
    """
    from motet.cli.eval_answering import Exam, plain_console
    from motet.cli.measuring import provenance
    from motet.eval.questions import report
    from motet.eval.questions.figures import Figures
    from motet.eval.questions.paired import Paired
    from motet.eval.questions.question import read_questions

    exam: Exam | None = None
    if questions is not None:
        file = questions
        exam = Exam.of_file(file, lambda: read_questions(file, limit=options.limit))
    chosen = [_changed(options, side, given) for side, given in ((0, set_a), (1, set_b))]
    for place, (source, given) in enumerate(((a, set_a), (b, set_b))):
        _check(source, given, exam, place)
    if all(map(_is_file, (a, b))):
        _check_unused(options, {"json_only", "samples", "limit"} if exam else {"json_only"})
    names, metas, trials = zip(
        *(_side(source, exam, side) for source, side in zip((a, b), chosen, strict=True)),
        strict=True,
    )
    paired = Paired.of(*trials)
    figures = [Figures.of(side) for side in trials]
    if not options.json_only:
        console = plain_console()
        typer.echo(f"{paired.num_questions} questions, seed {options.seed}")
        for side, name, given, found in zip(_SIDES, names, (set_a, set_b), figures, strict=True):
            typer.echo(f"\n{side}: {printable(' '.join([name, *(given or ())]))}\n")
            console.print(report.rates_table(found))
            typer.echo(report.failures_line(found))
        typer.echo()
        console.print(report.paired_table(paired, ("A", "B")))
        for line in report.paired_lines(paired):
            typer.echo(line)
        typer.echo()
    sides = {
        side.lower(): {"asked": meta} | report.figures_json(found)
        for side, meta, found in zip(_SIDES, metas, figures, strict=True)
    }
    facts = {
        **provenance(secret=options.api_key), "seed": options.seed,
        "questions": None if exam is None else exam.meta, **report.paired_json(paired), **sides,
    }  # fmt: skip
    typer.echo(json_line(facts))


def _side(
    source: str, exam: Exam | None, options: AskingOptions
) -> tuple[str, dict[str, Any], Sequence[Trial]]:
    """Name, origin and trials of one side."""
    from motet.cli.eval_answering import trials_of
    from motet.eval.questions.results import read_trials

    if _is_file(source):
        trials = read_trials(Path(source))
        if not trials:
            raise InputError(source, expected="results of motet eval", got="none")
        if exam is not None:
            wanted = {question.id for question in exam.questions}
            trials = [t for t in trials if t.id in wanted and t.sample < options.samples]
        return source, {"results": source}, trials
    assert exam is not None
    asked = trials_of(source, exam, options)
    return asked.subject.name, asked.subject.meta, asked.trials


def _is_file(source: str) -> bool:
    return source.endswith(".jsonl")


def _check(source: str, given: list[str] | None, exam: Exam | None, place: int) -> None:
    """What belongs to a side must fit what it is, before anything is asked."""
    side = _SIDES[place]
    if _is_file(source):
        if not Path(source).is_file():
            raise InputError(side, expected="a file of results", got=f"{source}: no such file")
        if given:
            option = f"--set-{side.lower()}"
            raise InputError(option, expected="a model to ask", got=f"the results {source}")
    elif exam is None:
        raise InputError("--questions", expected="a file, to ask a model", got="none")


def _check_unused(options: AskingOptions, used: set[str]) -> None:
    """SettingError for an option that says how to ask where nobody is asked."""
    in_environment = {"api_key"} if API_KEY in os.environ else set()
    for field in dataclasses.fields(options):
        if (
            field.name not in used | in_environment
            and getattr(options, field.name) != field.default
        ):
            option = "--" + field.name.replace("_", "-")
            raise SettingError(option, expected="a model to ask", got="two files of results")


def _changed(options: AskingOptions, place: int, given: list[str] | None) -> AskingOptions:
    """The options of one side."""
    side = _SIDES[place].lower()
    changes: dict[str, Any] = {}
    for pair in given or ():
        name, equals, value = pair.partition("=")
        name = name.replace("-", "_")
        try:
            if not equals or not value:
                raise ValueError(pair)
            if name in _REPEATABLE:
                before = changes.get(name, getattr(options, name)) or []
                changes[name] = [*before, value]
            else:
                changes[name] = _CHANGEABLE[name](value)
        except (ValueError, KeyError):
            known = ", ".join([*_REPEATABLE, *_CHANGEABLE])
            raise SettingError(
                f"--set-{side}", expected=f"OPTION=VALUE with {known}", got=repr(pair)
            ) from None
    if options.output is not None:
        changes["output"] = options.output.with_name(f"{options.output.name}.{side}.jsonl")
    return dataclasses.replace(options, **changes)
