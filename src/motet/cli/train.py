"""`motet train`: train a model as a configuration says, going on from where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from motet.errors import SettingError

_STOPPED = 130


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file.")],
    output: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="The folder of the run, in place of the configuration's.",
            show_default=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            show_default=False,
            help="Change one value, such as optimizer.lr=1e-4. May be given several times.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=2,
            show_default=False,
            help="Train in N processes on this machine. For GPUs and clusters, start the command "
            "with accelerate launch or torchrun instead.",
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print every key with its value, and do nothing else."),
    ] = False,
    prepare: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default=False,
            help="Write tokenizer, layout and config of the model to DIR, to tokenize data for "
            "it, and do nothing else.",
        ),
    ] = None,
    export: Annotated[
        bool,
        typer.Option("--export", help="Write the models of the checkpoints that there are."),
    ] = False,
) -> int:
    """Train a model; the same command goes on after a stop, to the same result.

    Ctrl-C finishes the step and writes a checkpoint. The models are OUT/last and OUT/best.
    """  # fmt: skip
    import sys

    try:
        from motet.train.config import read_config
        from motet.train.config.toml import to_toml
        from motet.train.launch import end_with_parent, launch
    except ModuleNotFoundError as error:
        raise SettingError(
            "motet train", expected="PyTorch, transformers and accelerate", got=f"no {error.name}",
            fix="install motet[train]",
        ) from None  # fmt: skip
    settings = read_config(config, changes or (), output=output)
    if print_config:
        typer.echo(to_toml(settings), nl=False)
        return 0
    if prepare is not None:
        from motet.train.start import write_start

        write_start(settings, prepare)
        typer.echo(f"{prepare}: tokenizer, layout and config of the model")
        return 0
    if processes is not None and not export:
        arguments = _without_processes(sys.argv[1:])
        return launch(arguments, processes, Path(settings.output))
    end_with_parent()
    from motet.train.run import train as run

    console = Console(stderr=True)
    outcome = run(settings, console, only_export=export)
    if not outcome.is_over:
        console.file.write(f"motet: stopped after step {outcome.step}; the same command goes on\n")
        return _STOPPED
    for model in outcome.models:
        typer.echo(f"{model.path}: step {model.step}")
    return 0


def _without_processes(arguments: list[str]) -> list[str]:
    """The command line of one of the processes."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--processes":
            skip = True
        elif not argument.startswith("--processes="):
            kept.append(argument)
    return kept
