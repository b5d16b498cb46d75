"""`motet eval streams`: does a model do with its streams what they are for?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from motet.cli.items import read_items
from motet.cli.json_line import json_line
from motet.cli.measuring import measuring, provenance
from motet.data.tiny.mixture import held_out_problems
from motet.engine import Engine, load
from motet.errors import InputError
from motet.eval.passages import Passage, Prompt, conversations_of, passages_of_grids
from motet.eval.streams.information import (
    information_json,
    information_table,
    measure_information,
)
from motet.eval.streams.interrupted import measure_reactions
from motet.eval.streams.manners import measure_manners
from motet.eval.streams.planted import measure_doubt
from motet.eval.streams.quiet import measure_quiet
from motet.eval.streams.report import quiet_line, shares, shares_json, shares_table
from motet.formats.directory import EMBEDDED
from motet.protocol.printable import printable
from motet.runtime.directory import find
from motet.streams.layout import Layout, Role

NUM_PROBLEMS = 200
NUM_CONVERSATIONS = 64
_PLAIN_WIDTH = 100  # of the table where no terminal says how wide it is


def streams(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"{EMBEDDED}, a model directory or a GGUF file.")
    ] = EMBEDDED,
    input_file: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help='What to ask: lines of {"id", "text"}.',
            show_default="held-out word problems",
        ),
    ] = None,
    num_problems: Annotated[int, typer.Option(min=1, help="Questions at most.")] = NUM_PROBLEMS,
    seed: Annotated[int, typer.Option(min=0, help="Of problems, places and sampling.")] = 1,
    thinker: Annotated[
        str | None, typer.Option(help="The channel that works.", show_default="Think, if any")
    ] = None,
    doubter: Annotated[
        str | None, typer.Option(help="The channel that doubts.", show_default="Skeptical, if any")
    ] = None,
    remark: Annotated[str, typer.Option(help="What the User says to interrupt.")] = "Stop.",
    grids: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A dataset of grids on which to measure what channels tell each other.",
            show_default="what the model itself says",
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, show_default="all cores")] = None,
    json_only: Annotated[bool, typer.Option("--json", help="Print only the JSON line.")] = False,
) -> None:
    """Measure whether a model speaks, waits, ends, rests, is interrupted, and doubts rightly.

    And whether it is quiet before anyone has spoken, and what its channels tell each other.

    Each share comes with its 95 % interval (Wilson). Ends with one line of JSON.
    """
    texts = _texts(input_file, num_problems, seed)
    engine = load(model, threads=threads)
    layout = engine.codec.layout
    if not layout.input_indices:
        raise InputError(
            "model", expected="one with an input channel, that can be interrupted",
            got=f"channels {', '.join(layout.names)}",
        )  # fmt: skip
    thinks = _channel(layout, thinker, "Think")
    doubts = _channel(layout, doubter, "Skeptical")
    settings = engine.settings(seed=seed)
    with measuring() as begin:
        manners = measure_manners(engine, settings, texts, thinks, begin("manners", len(texts)))
        reactions = measure_reactions(
            engine, settings, texts, remark, begin("interruptions", len(texts))
        )
        doubt = None
        if thinks is not None and doubts is not None:
            doubt = measure_doubt(
                engine, settings, texts, thinker=thinks, doubter=doubts, seed=seed,
                advance=begin("planted wrong steps", len(texts)),
            )  # fmt: skip
        passages = _passages(engine, grids, find(model), texts, seed)
        told = measure_information(
            engine, passages, begin("what channels tell each other", len(passages))
        )
    quiet = measure_quiet(engine)
    found = shares(manners, reactions, doubt)
    source = "held-out problems" if input_file is None else str(input_file)
    if not json_only:
        console = Console()
        if not console.is_terminal:
            console.width = _PLAIN_WIDTH
        typer.echo(f"{printable(engine.name)}: {len(texts)} {printable(source)}, seed {seed}\n")
        console.print(shares_table(found))
        if reactions.median_rows is not None:
            typer.echo(f"\nrows until Output changed, median: {reactions.median_rows:g}")
        if doubt is not None and doubt.num_without:
            typer.echo(f"conversations without a step to falsify: {doubt.num_without}")
        typer.echo(quiet_line(quiet))
        whose = "the model's own" if grids is None else printable(str(grids))
        typer.echo(
            f"\nWhat channels tell each other, nats a spoken token ({len(passages)} conversations, "
            f"{whose}):\n"
        )
        console.print(information_table(told))
        typer.echo()
    typer.echo(
        json_line(
            {
                **provenance(),
                "model": engine.name,
                "source": source,
                "n": len(texts),
                "seed": seed,
                "shares": shares_json(found),
                "reaction_rows_median": reactions.median_rows,
                "quiet": {
                    "rows": quiet.num_rows,
                    "probability": quiet.probability,
                    "greedy_speaks_at": quiet.first_row,
                },
                "information": {
                    "source": "own" if grids is None else str(grids),
                    "n": len(passages),
                    "told": information_json(told),
                },
            }
        )
    )


def _texts(input_file: Path | None, num_problems: int, seed: int) -> list[str]:
    if input_file is None:
        return [task.question for task in held_out_problems(num_problems, seed)]
    if not input_file.is_file():
        raise InputError("--input", expected="a JSONL file", got=f"{input_file}: no such file")
    texts = [item.text for item in read_items(input_file)][:num_problems]
    if not texts:
        raise InputError("--input", expected="at least one line", got=f"{input_file}: none")
    return texts


def _passages(
    engine: Engine[Any], grids: Path | None, model: Path, texts: list[str], seed: int
) -> list[Passage]:
    """Conversations to measure what channels tell each other on."""
    if grids is None:
        prompts = [Prompt(f"question {n}", text) for n, text in enumerate(texts, start=1)]
        return conversations_of(engine, prompts[:NUM_CONVERSATIONS], seed)
    return passages_of_grids(grids, engine, model, NUM_CONVERSATIONS)


def _channel(layout: Layout, asked: str | None, usual: str) -> str | None:
    """The thought channel that was asked for, or the usual one if there is one."""
    name = usual if asked is None and usual in layout.names else asked
    if name is None:
        return None
    if layout.channels[layout.index(name)].role is not Role.THOUGHT:
        raise InputError("channel", expected="a thought channel", got=repr(name))
    return name
