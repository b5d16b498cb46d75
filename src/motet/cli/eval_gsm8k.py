"""`motet eval gsm8k`: grade-school word problems, answered by a number."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motet.cli.eval_options import AskingOptions, with_asking_options
from motet.formats.directory import EMBEDDED

DATA = Path("data/gsm8k")


class Split(StrEnum):
    """The parts of GSM8K: what is measured on, and what models may be trained on."""

    TEST = "test"
    TRAIN = "train"


@with_asking_options
def gsm8k(
    options: AskingOptions,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"{EMBEDDED}, a model directory, a GGUF file, or the URL of a server.",
        ),
    ] = EMBEDDED,
    data: Annotated[
        Path,
        typer.Option(metavar="DIR", help="A folder with GSM8K's test.jsonl and train.jsonl."),
    ] = DATA,
    split: Annotated[Split, typer.Option(help="Which of them.")] = Split.TEST,
) -> None:
    """Ask a model the problems of GSM8K and count the right answers.

    Each share comes with its 95 % interval. Ends with one line of JSON.
    """
    from motet.cli.eval_answering import Exam, answer_questions
    from motet.eval.questions.question import read_gsm8k

    file = data / f"{split.value}.jsonl"
    exam = Exam.of_file(file, lambda: read_gsm8k(data, split.value, options.limit))
    answer_questions(model, exam, options)
