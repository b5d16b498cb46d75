"""`motet eval jsonl`: your own questions with known answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motet.cli.eval_options import AskingOptions, with_asking_options
from motet.formats.directory import EMBEDDED


@with_asking_options
def jsonl(
    options: AskingOptions,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help=f"{EMBEDDED}, a model directory, a GGUF file, or the URL of a server.",
        ),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSONL: a question and its answer a line.")
    ],
    question_field: Annotated[str, typer.Option(metavar="NAME")] = "question",
    answer_field: Annotated[str, typer.Option(metavar="NAME")] = "answer",
    id_field: Annotated[
        str | None,
        typer.Option(metavar="NAME", show_default="id if there is one, else the line's number"),
    ] = None,
) -> None:
    """Ask a model questions with known answers and count the right ones.

    An answer that is a number is compared by value, a letter from A to J as a choice, anything
    else by its words. Each share comes with its 95 % interval. Ends with one line of JSON.
    """
    from motet.cli.eval_answering import Exam, answer_questions
    from motet.eval.questions.question import Fields, read_questions

    fields = Fields(question_field, answer_field, id_field)
    names = {"question": question_field, "answer": answer_field, "id": id_field}
    exam = Exam.of_file(file, lambda: read_questions(file, fields, options.limit), fields=names)
    answer_questions(model, exam, options)
