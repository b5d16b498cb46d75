"""`motet run --input --output`: a file of messages through one batch that never runs dry.

Results are appended as they finish, one whole line at a time. A run that was killed goes on where
it stopped: ids that are in the output are skipped, a torn last line is cut off. How the results
were made stands beside them in OUTPUT.meta.json, and a run with other settings is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console

from motet.cli.items import Identifier, Item, count_lines, read_items
from motet.cli.json_line import json_line
from motet.cli.opening import open_session
from motet.cli.progress import progress
from motet.cli.provenance import check_provenance, meta_file, write_provenance
from motet.engine import Engine, Session, Settings
from motet.engine.reply import reply_of
from motet.errors import ContextFullError, InputError

_RESULT_KEYS = ("channels", "rows", "ttft_rows", "stopped_by")


def check_files(input_file: Path, output_file: Path) -> None:
    """InputError if the input cannot be read or the output cannot become a file of results."""
    if not input_file.is_file():
        got = "a directory" if input_file.is_dir() else "no such file"
        raise InputError("--input", expected="a JSONL file", got=f"{input_file}: {got}")
    if not output_file.parent.is_dir():
        got = f"no directory {output_file.parent}"
        raise InputError("--output", expected="a file in a directory that exists", got=got)
    if output_file.exists() and not output_file.is_file():
        got = f"{output_file}: not a regular file"
        raise InputError("--output", expected="a file", got=got)
    for written in (output_file, meta_file(output_file)):
        if written.exists() and written.samefile(input_file):
            raise InputError("--output", expected="another file than --input", got=written)


def decode_file(
    engine: Engine[Any],
    settings: Settings,
    input_file: Path,
    output_file: Path,
    *,
    batch_size: int,
    meta: dict[str, Any],
    console: Console,
) -> None:
    """Decode every line of `input_file` that `output_file` does not have yet.

    meta: how the results are made, for OUTPUT.meta.json. A broken line ends the run with an
    InputError that names it, after the lines before it are finished and written. The files must
    have passed `check_files`.
    """
    check_provenance(output_file, meta)
    done = _finished_ids(output_file)
    write_provenance(output_file, meta)
    pending = (item for item in read_items(input_file) if item.id not in done)
    total = count_lines(input_file)
    with (
        _open_output(output_file) as output,
        progress(console, total, min(len(done), total)) as advance,
    ):
        _decode(engine, settings, pending, output, batch_size, advance)


def _decode(
    engine: Engine[Any],
    settings: Settings,
    items: Iterator[Item],
    output: BinaryIO,
    batch_size: int,
    advance: Callable[[], None],
) -> None:
    running: dict[Identifier, Session[Any]] = {}
    broken: InputError | None = None
    is_exhausted = False
    while running or not is_exhausted:
        while len(running) < batch_size and not is_exhausted:
            try:
                item = next(items, None)
                if item is None:
                    is_exhausted = True
                else:
                    running[item.id] = _start(engine, settings, item)
            except InputError as error:
                broken, is_exhausted = error, True
        for _, _, failure in engine.step(list(running.values())):
            if failure is not None:
                raise failure
        for id_, session in list(running.items()):
            if not session.is_active:
                del running[id_]
                _append(output, json_line(_result(id_, session, engine)))
                advance()
    if broken is not None:
        raise broken


def _start(engine: Engine[Any], settings: Settings, item: Item) -> Session[Any]:
    session = open_session(engine, settings)
    try:
        session.give(item.text)
    except (InputError, ContextFullError) as error:
        raise InputError(f"{item.where}: {error}") from None
    return session


def _result(id_: Identifier, session: Session[Any], engine: Engine[Any]) -> dict[str, Any]:
    reply = reply_of(session, engine.name, seconds=0.0).to_json()
    return {"id": id_} | {key: reply[key] for key in _RESULT_KEYS}


def _open_output(path: Path) -> BinaryIO:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise InputError("--output", expected="a file that can be written", got=error) from None


def _append(output: BinaryIO, line: str) -> None:
    rest = memoryview((line + "\n").encode("utf-8"))
    try:
        while rest:
            rest = rest[output.write(rest) :]
    except OSError as error:
        raise InputError(
            str(output.name), expected="room for a result", got=error,
            fix="make room and start again: it goes on where it stopped",
        ) from None  # fmt: skip


def _finished_ids(path: Path) -> set[Identifier]:
    """Ids of the results in `path`, which is cut back to its last whole line."""
    if not path.exists():
        return set()
    ids: set[Identifier] = set()
    whole_bytes = 0
    with path.open("rb") as file:
        for line_number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            whole_bytes += len(line)
            try:
                ids.add(json.loads(line)["id"])
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise InputError(
                    f"{path}:{line_number}", expected="a result of motet run", got=error,
                    fix="give another --output",
                ) from None  # fmt: skip
    if whole_bytes < path.stat().st_size:
        with path.open("r+b") as file:
            file.truncate(whole_bytes)
    return ids
