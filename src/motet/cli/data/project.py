"""`motet data project`: corpora onto channels, as datasets of tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from motet.cli.data.making import ProcessesOption, RayOption, TargetArgument, make

project = typer.Typer(
    help="Put corpora onto channels: stream tables, chats, GSM8K.",
    rich_markup_mode=None,
    no_args_is_help=True,
)
_LEAST_WAIT = 2

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="JSON lines (.jsonl, .jsonl.gz) or .parquet; or folders."
    ),
]
PerShardOption = Annotated[int, typer.Option(min=1, help="Records of the corpus a shard.")]


class Split(StrEnum):
    """The two files of GSM8K."""

    TRAIN = "train"
    TEST = "test"


@project.callback()
def _family() -> None:
    """Put corpora onto channels: stream tables, chats, GSM8K."""


@project.command()
def streams(
    files: FilesArgument,
    target: TargetArgument,
    channels: Annotated[
        str,
        typer.Option(
            metavar="NEW=OLD,...",
            help="Channels to keep, in order: User=0,Output=1,Think=Analytical,Critic:thought=7.",
        ),
    ],
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            show_default=False,
            help="Where the corpus has tokens: their tokenizer.json, or the model's directory.",
        ),
    ] = None,
    end_after: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="ROWS",
            show_default="they never do",
            help="Messages end where their channel is silent for so long.",
        ),
    ] = None,
    per_shard: PerShardOption = 1000,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:
    """Choose, rename and order the channels of stream tables: words, tokens, or tables of ours."""
    from motet.data.dataset import DATASET_FILE
    from motet.data.project.choice import parse_choices
    from motet.data.project.projecting import begin_projecting
    from motet.data.project.rechannel import begin_rechanneling
    from motet.data.project.streams import StreamProjection
    from motet.errors import SettingError

    choices = parse_choices(channels)
    if len(files) == 1 and (files[0] / DATASET_FILE).is_file():
        if tokenizer is not None or end_after is not None:
            raise SettingError(
                "--tokenizer, --end-after", expected="a corpus of words or tokens",
                got=f"{files[0]}, whose cells say what they are",
            )  # fmt: skip
        building, num_parts, part = begin_rechanneling(files[0], target, choices)
        make(building, num_parts, part, num_processes=processes, ray=ray)
        return
    path = None if tokenizer is None else tokenizer.resolve()
    projection = StreamProjection(choices, path, end_after)
    begun = begin_projecting(files, target, projection, per_shard)
    make(*begun, num_processes=processes, ray=ray)


@project.command()
def chat(
    files: FilesArgument,
    target: TargetArgument,
    wait_k: Annotated[
        int | None,
        typer.Option(
            min=_LEAST_WAIT,
            show_default="they wait for its end",
            help="Replies begin so many pieces behind the message they reply to.",
        ),
    ] = None,
    per_shard: PerShardOption = 1000,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:
    """Chats with reasoning: to User, Think and Output, one piece of text a row."""
    from motet.data.project.chat import ChatProjection
    from motet.data.project.projecting import begin_projecting

    begun = begin_projecting(files, target, ChatProjection(wait_k), per_shard)
    make(*begun, num_processes=processes, ray=ray)


@project.command()
def gsm8k(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where train.jsonl and test.jsonl are.")
    ],
    target: TargetArgument,
    split: Annotated[Split, typer.Option(help="Which file.")] = Split.TRAIN,
    planted: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="In how many conversations Think makes a mistake that Skeptical objects to.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the mistakes.")] = 0,
    per_shard: PerShardOption = 1000,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:
    """GSM8K: questions, steps, an exact check of every step, answers, on four channels."""
    from motet.data.project.gsm8k import GSM8KProjection
    from motet.data.project.projecting import begin_projecting

    projection = GSM8KProjection(planted, seed)
    begun = begin_projecting([folder / f"{split}.jsonl"], target, projection, per_shard)
    make(*begun, num_processes=processes, ray=ray)
