"""`motet eval`: how good a model is; here, what quantisation costs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from motet.cli.eval_compare import compare
from motet.cli.eval_gsm8k import gsm8k
from motet.cli.eval_jsonl import jsonl
from motet.cli.eval_streams import streams
from motet.cli.json_line import json_line
from motet.cli.measuring import measuring, provenance
from motet.data.tiny.mixture import held_out_problems
from motet.engine import Engine
from motet.errors import InputError, SettingError
from motet.eval import report
from motet.eval.answers import Answers, attempt
from motet.eval.passages import (
    NUM_PROMPTS,
    Passage,
    conversations_of,
    development_prompts,
    pieces_of,
    prompts_of,
    read_text,
)
from motet.eval.quant import QUANTS, Measured, Study, check_fit, fits
from motet.formats.directory import EMBEDDED, ModelDirectory, read_directory, resolve
from motet.formats.quantize import Quant
from motet.protocol.printable import printable

evaluate = typer.Typer(help="Measure how good models are.", rich_markup_mode=None)
NUM_PROBLEMS = 200
_DEFAULT_SEED = 1
_PLAIN_WIDTH = 120  # of tables where no terminal says how wide it is


@evaluate.callback()
def _family() -> None:
    """Measure how good models are."""


for _command in (streams, gsm8k, jsonl, compare):
    evaluate.command()(_command)


@evaluate.command()
def quant(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"{EMBEDDED} or a model directory.")
    ] = EMBEDDED,
    quants: Annotated[
        list[Quant] | None,
        typer.Option("--quant", help="Type of the matrices, once or more. Default: all that fit."),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What to read: a text for a one-channel model, for others a prompt on each line.",
            show_default=f"{NUM_PROMPTS} word problems, for models of several channels",
        ),
    ] = None,
    num_problems: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Word problems to answer.",
            show_default=f"{NUM_PROBLEMS} for {EMBEDDED}, which has learned such, else none",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Of problems and sampling.", show_default=str(_DEFAULT_SEED)),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, show_default="all cores")] = None,
    json_only: Annotated[bool, typer.Option("--json", help="Print only the JSON line.")] = False,
) -> None:
    """Measure what quantisation costs a model: KL divergence from float32, and right answers.

    All variants read the same rows and answer the same problems. Ends with one line of JSON.
    """
    if Path(model).is_file():
        raise InputError(
            "model", expected="a directory, whose weights are as they were learned",
            got=f"the file {model}", fix="motet convert makes a directory of it",
        )  # fmt: skip
    directory = read_directory(model)
    kinds = _kinds(directory, quants)
    if num_problems is None:
        num_problems = NUM_PROBLEMS if directory.path == resolve(EMBEDDED) else 0
    has_channels = directory.layout.num_channels > 1
    if text is None and not has_channels:
        raise InputError("--text", expected="a text for a model of one channel", got="none")
    if seed is not None and not has_channels and not num_problems:
        raise SettingError("--seed", expected="none: nothing is drawn here", got=seed)
    seed = _DEFAULT_SEED if seed is None else seed
    passages_of = _passages_of(text, seed, has_channels=has_channels)
    tasks = held_out_problems(num_problems, seed)
    with measuring() as begin, Study(directory, threads) as study:
        engine = study.reference
        advance = begin("float32", len(tasks))
        passages = passages_of(engine)
        answered = attempt(engine, tasks, advance=advance)
        results = [
            measured
            for kind in kinds
            for measured in study.measure(kind, passages, tasks, answered, begin)
        ]
    reference = Answers.of(answered, answered) if answered else None
    num_rows = sum(len(passage.tokens_RC) for passage in passages)
    source = "development problems" if text is None else str(text)
    if not json_only:
        what = f"{len(passages)} passages of {source}, {num_rows} rows, seed {seed}"
        typer.echo(f"{printable(directory.name)}: {printable(what)}\n")
        _print_tables(reference, results)
    typer.echo(
        json_line(
            {
                **provenance(),
                "model": directory.name,
                "seed": seed,
                "n": {"passages": len(passages), "rows": num_rows, "problems": num_problems},
                "passages": source,
                "reference": report.reference_json(reference),
                "results": report.results_json(results),
            }
        )
    )


def _passages_of(
    text: Path | None, seed: int, *, has_channels: bool
) -> Callable[[Engine[Any]], list[Passage]]:
    """What the float32 model will read or say; mistakes in the file are told at once."""
    content = None if text is None else read_text(text)
    if content is not None and not has_channels:
        return lambda engine: pieces_of(content, engine.codec, engine.runtime.context_rows)
    prompts = development_prompts(seed) if content is None else prompts_of(content, str(text))
    return lambda engine: conversations_of(engine, prompts, seed)


def _kinds(directory: ModelDirectory, quants: Sequence[Quant] | None) -> list[Quant]:
    """The types to measure, each once; SettingError if the model's shapes do not allow one."""
    if not quants:
        return [kind for kind in QUANTS if fits(directory, kind)]
    for kind in quants:
        check_fit(directory, kind)
    return list(dict.fromkeys(quants))


def _print_tables(reference: Answers | None, results: Sequence[Measured]) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    console.print(report.divergence_table(results))
    for line in report.over_stock_lines(results):
        console.print(line, highlight=False)
    console.print()
    if reference is not None:
        console.print(report.answer_table(reference, results))
        console.print()
