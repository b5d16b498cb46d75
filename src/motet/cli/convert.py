"""`motet convert`: a model directory to one GGUF file, or a GGUF file to a model directory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from motet.cli.progress import LINE_EVERY_S
from motet.errors import SettingError
from motet.formats.convert import Conversion, new_file, plan
from motet.formats.directory import EMBEDDED, read_directory
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant
from motet.formats.restore import Stored, num_weight_bytes, restore
from motet.formats.writer import Advance


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help=f"A model directory, {EMBEDDED}, or a GGUF file.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="DST", help="The new GGUF file, or the new directory.")
    ],
    quant: Annotated[
        Quant | None,
        typer.Option(
            help="Type of the matrices: q4_0 if not given; f16 (or f32) for a directory.",
            show_default=False,
        ),
    ] = None,
    embedding: Annotated[
        Quant | None,
        typer.Option(
            help="Type of the token embedding and the head, if not the usual one for --quant.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Convert a model directory to one GGUF file, or a GGUF file to a model directory."""
    start = time.monotonic()
    if Path(source).is_file():
        _to_directory(source, target, quant, embedding)
        size = sum(file.stat().st_size for file in target.iterdir())
    else:
        conversion = plan(read_directory(source), quant or Quant.Q4_0, embedding=embedding)
        _to_file(conversion, target)
        size = target.stat().st_size
    seconds = time.monotonic() - start
    typer.echo(f"{target}: {size:,} bytes in {seconds:.1f} s")


def _to_file(conversion: Conversion, target: Path) -> None:
    with new_file(target, conversion.num_bytes) as file, _progress(conversion.num_bytes) as advance:
        conversion.write(file, advance)


def _to_directory(source: str, target: Path, quant: Quant | None, embedding: Quant | None) -> None:
    if embedding is not None:
        raise SettingError("--embedding", expected="a model directory as SRC", got="a file")
    if quant not in (None, Quant.F16, Quant.F32):
        raise SettingError("--quant for a directory", expected="f16 or f32", got=quant)
    stored = Stored(quant or Stored.F16)
    with _progress(num_weight_bytes(read_gguf(source), stored)) as advance:
        restore(source, target, stored, advance=advance)


@contextmanager
def _progress(num_bytes: int) -> Iterator[Advance]:
    """Follow the writing of `num_bytes` on stderr: a bar in a terminal, now and then a line."""
    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal:
        columns = [TextColumn("writing"), BarColumn(), DownloadColumn(), TimeRemainingColumn()]
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("writing", total=num_bytes)
            yield lambda count: bar.advance(task, count)
        return
    yield _Lines(console, num_bytes).advance


class _Lines:
    """`writing: 1.2 of 5.1 GB, 40 s left`, at most every 10 seconds."""

    def __init__(self, console: Console, num_bytes: int) -> None:
        self._console = console
        self._total = num_bytes
        self._done = 0
        self._start = self._last_line = time.monotonic()

    def advance(self, num_bytes: int) -> None:
        self._done += num_bytes
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            left_s = (self._total - self._done) * (now - self._start) / self._done
            done, total = self._done / 1e9, self._total / 1e9
            line = f"motet: writing: {done:.2f} of {total:.2f} GB, {left_s:.0f} s left\n"
            self._console.file.write(line)
            self._console.file.flush()
