"""`motet data tokenize`: tables to grids, in the tokens and channels of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motet.cli.data.making import ProcessesOption, RayOption, TargetArgument, make


def tokenize(
    tables: Annotated[
        Path, typer.Argument(metavar="TABLES", help="The directory of a dataset of tables.")
    ],
    target: TargetArgument,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="DIR",
            help="The model that is to learn from it: motet-tiny or a directory.",
        ),
    ],
    max_rows: Annotated[
        int | None,
        typer.Option(min=2, help="Leave out longer conversations.", show_default="none is"),
    ] = None,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:
    """Make grids of tables, for training: every message tokenised whole, row order kept."""
    from motet.data.tokenized import begin_tokenizing

    building, num_parts, part = begin_tokenizing(tables, model, target, max_rows)
    make(building, num_parts, part, num_processes=processes, ray=ray)
