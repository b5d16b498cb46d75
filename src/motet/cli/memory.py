"""`motet memory`: does a training fit, before any weight is loaded?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motet.errors import SettingError

if TYPE_CHECKING:
    from motet.formats.hyperparameters import Hyperparameters
    from motet.train.config import TrainConfig
    from motet.train.footprint import Memory, Trained

_SHARDINGS = ("none", "zero2", "full")
_MEANINGS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "averages of the optimizer",
    "gathered": "weights as arithmetic needs them",
    "activations": "activations",
    "logits": "logits",
}


def memory(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="As for motet train.")],
    shape: Annotated[
        str | None,
        typer.Option(
            help="Sizes of a published model, such as lfm2.5-8b-a1b, whose weights are not here.",
            show_default="those of the configuration's model",
        ),
    ] = None,
    devices: Annotated[int, typer.Option(min=1, help="That share the work.")] = 1,
    sharding: Annotated[
        str,
        typer.Option(
            help="What they share out: none (DDP), zero2 (gradients and averages), full (FSDP2, "
            "ZeRO-3: weights too)."
        ),
    ] = "full",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for motet train.")
    ] = None,
    json_only: Annotated[bool, typer.Option("--json", help="Print only the JSON line.")] = False,
) -> None:
    """Compute what a training needs of each device's memory.

    Nothing is loaded. Not counted: what the device's libraries take for themselves (about 1 GB with
    CUDA) and gaps between blocks (leave a tenth).
    """
    from motet.train.config import read_config
    from motet.train.footprint import Sharding, memory_of

    if sharding not in _SHARDINGS:
        raise SettingError("--sharding", expected=" or ".join(_SHARDINGS), got=sharding)
    settings = read_config(config, changes or ())
    numbers, num_channels = _sizes(settings, shape)
    trained = _trained(settings, numbers, num_channels)
    data = settings.data
    num_cells = data.sequences_at_once * data.rows_per_sequence * num_channels
    needed = memory_of(
        numbers,
        trained,
        num_cells=num_cells,
        precision=settings.model.precision,
        optimizer=settings.optimizer.name,
        checkpointing=settings.model.gradient_checkpointing,
        logits_bytes=settings.objective.logits_bytes,
        num_devices=devices,
        sharding=Sharding(sharding),
    )
    if not json_only:
        _print_table(needed, trained, num_cells, devices)
    line = {"parameters": trained.total, "learning": trained.learning, "cells": num_cells}
    line |= {"devices": devices, "total_bytes": needed.total}
    typer.echo(json.dumps(line | {f"{k}_bytes": v for k, v in asdict(needed).items()}))


def _sizes(settings: TrainConfig, shape: str | None) -> tuple[Hyperparameters, int]:
    """The model's numbers, and how many channels it has."""
    from motet.bench.shape import shape_named
    from motet.formats.config import from_config
    from motet.formats.directory import read_directory
    from motet.formats.tensors import stored_tensors
    from motet.train.footprint.sizes import sizes_of

    start, layout = settings.model.start, settings.layout
    num_channels = 1 if layout is None else len(layout.channels)
    if shape is not None:
        return shape_named(shape), num_channels
    if start is None:
        assert settings.model.new is not None and layout is not None  # noqa: PT018 - its validator
        return sizes_of(settings.model.new, layout), num_channels
    directory = read_directory(start)
    if layout is None:
        num_channels = directory.layout.num_channels
    found = {name: tensor.shape for name, tensor in stored_tensors(directory.path).items()}
    return from_config(directory.config, found, str(directory.path)), num_channels


def _trained(settings: TrainConfig, numbers: Hyperparameters, num_channels: int) -> Trained:
    from motet.train.footprint import Trained

    if settings.method.kind == "full":
        return Trained.full(numbers, num_channels)
    lora = settings.method.lora
    return Trained.lora(numbers, num_channels, lora.rank, experts=lora.experts)


def _print_table(needed: Memory, trained: Trained, num_cells: int, devices: int) -> None:
    typer.echo(
        f"{trained.learning:,} of {trained.total:,} parameters learn; {num_cells:,} cells at once "
        f"on each of {devices} devices\n"
    )
    for key, meaning in _MEANINGS.items():
        typer.echo(f"{meaning:34}{getattr(needed, key) / 1e9:8.2f} GB")
    typer.echo(f"{'together':34}{needed.total / 1e9:8.2f} GB\n")
