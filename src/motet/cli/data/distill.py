"""`motet data distill`: rollouts of a multi-stream teacher that came to the right answer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from motet.cli.data.attempting import show_outcomes
from motet.cli.data.making import TargetArgument
from motet.cli.eval_options import AskingOptions, ServerApi, with_asking_options
from motet.cli.json_line import json_line
from motet.cli.progress import progress
from motet.errors import SettingError
from motet.formats.directory import EMBEDDED
from motet.protocol.printable import printable

if TYPE_CHECKING:
    from motet.corpora.attempts import Attempts
    from motet.corpora.keeper import Keeper
    from motet.eval.questions.trial import Ask

_NOT_HERE = frozenset({"output", "report", "json_only"})


@partial(with_asking_options, without=_NOT_HERE)
def distill(
    options: AskingOptions,
    teacher: Annotated[
        str,
        typer.Argument(
            metavar="TEACHER",
            help=f"{EMBEDDED}, a model directory, a GGUF file, or the URL of a server.",
        ),
    ],
    questions: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSONL: a question and its answer a line.")
    ],
    target: TargetArgument,
    question_field: Annotated[str, typer.Option(metavar="NAME")] = "question",
    answer_field: Annotated[str, typer.Option(metavar="NAME")] = "answer",
    each: Annotated[
        int | None,
        typer.Option(min=1, help="Rollouts kept of one question at most.", show_default="all"),
    ] = None,
    sound: Annotated[
        bool,
        typer.Option(
            "--sound",
            help="Leave out too what is right in the end, but calculates wrongly on the way or "
            "says something before it can be known.",
        ),
    ] = False,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", show_default="none: the dataset is tables, of texts",
            help="With a server: the model that it serves, of which the tokenizer is read.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Let a multi-stream model answer questions; keep what is right and ends by itself.

    The result is a dataset of grids, its tokens just as they were said. OUT.attempts.jsonl has
    every rollout, and why it was left out. Started again, the command goes on where it stopped.
    """
    from motet.cli.eval_subject import subject_of
    from motet.corpora.attempts import Attempts, attempts_file
    from motet.corpora.distill import chosen, collect
    from motet.corpora.distill import distill as ask_all
    from motet.corpora.place import check_place
    from motet.corpora.rollout import LEFT_OUT
    from motet.data.dataset import MadeBy
    from motet.eval.questions.question import Fields, read_questions
    from motet.eval.questions.trial import asks_of

    if tokenizer is not None and "://" not in teacher:
        raise SettingError("--tokenizer", expected="a server's URL with it", got=teacher)
    if options.api is ServerApi.CHAT:
        raise SettingError("--api", expected="live, which shows every row", got="chat")
    asked = read_questions(questions, Fields(question_field, answer_field), options.limit)
    check_place(target)
    subject = subject_of(teacher, options)
    keeper = _keeper(teacher, tokenizer, options)
    asks = asks_of(asked, options.samples, options.seed, options.prompt)
    made_as = {
        "teacher": subject.meta,
        "questions": hashlib.sha256(questions.read_bytes()).hexdigest(),
        "fields": [question_field, answer_field],
        "samples": options.samples,
        "seed": options.seed,
        "form": keeper.form,
        "sound": sound,
    }
    with Attempts(attempts_file(target), made_as) as attempts:
        num_done = sum(number in attempts for number in range(len(asks)))
        with progress(Console(stderr=True), len(asks), num_done) as advance:
            ask_all(
                subject.asker, subject.name, asks, attempts, keeper,
                at_once=options.batch_size, must_be_sound=sound, advance=advance,
            )  # fmt: skip
        numbers, left_out = chosen(attempts, each)
        outcomes = Counter(attempts.outcomes) + left_out
        outcomes["kept"] = len(numbers)
        show_outcomes(outcomes, {reason.value: text for reason, text in LEFT_OUT.items()})
        typer.echo(json_line(_facts(attempts, asks, outcomes, subject.name, target)))
        source = {**made_as, "teacher": {k: v for k, v in subject.meta.items() if k != "server"}}
        command = ["motet", "data", "distill", "--samples", str(options.samples)]
        command += [] if options.limit is None else ["--limit", str(options.limit)]
        command += [] if each is None else ["--each", str(each)]
        made_by = MadeBy(command=tuple(command), sources=(source,))
        done = collect(attempts, keeper, target, made_by, each)
    typer.echo(
        f"{printable(str(target))}: {done.num_conversations:,} conversations, "
        f"{done.num_rows:,} rows, {len(done.shards)} shards"
    )


def _keeper(teacher: str, tokenizer: str | None, options: AskingOptions) -> Keeper:
    """Grids where the tokenizer is known, else tables."""
    from motet.client.address import http_url
    from motet.corpora.controls import EndTokens, channels_of
    from motet.corpora.grid_keeper import GridKeeper
    from motet.corpora.table_keeper import TableKeeper
    from motet.runtime.directory import read_source

    is_server = "://" in teacher
    model = tokenizer if is_server else teacher
    if model is not None:
        return GridKeeper.of(read_source(model), options.ablate or (), is_checked=is_server)
    url = http_url(teacher)
    return TableKeeper(channels_of(url, options.api_key), EndTokens(url, options.api_key))


def _facts(
    attempts: Attempts, asks: Sequence[Ask], outcomes: Counter[str], teacher: str, target: Path
) -> dict[str, Any]:
    """The line of JSON: who was asked, and what came of it."""
    num_right = len({f["question_id"] for n, f in attempts.facts() if "cells_sha256" in f})
    return {
        "dataset": str(target),
        "attempts": str(attempts.path),
        "teacher": teacher,
        "questions": len({ask.question.id for ask in asks}),
        "questions_right": num_right,
        "rollouts": attempts.num_made,
        "kept": outcomes["kept"],
        "left_out": {name: n for name, n in sorted(outcomes.items()) if name != "kept"},
    }
