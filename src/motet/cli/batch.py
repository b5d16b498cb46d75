"""`motet run --input --output`: a file of messages through one batch that never runs dry.

Results are appended as they finish, one whole line at a time. A run that was killed goes on where
it stopped: ids that are in the output are skipped, a torn last line is cut off. How the results
were made stands beside them in OUTPUT.meta.json, and a run with other settings is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from motet.engine import Engine, Session, Settings
from motet.engine.reply import reply_of
from motet.errors import ContextFullError, InputError

Identifier = str | int


@dataclass(frozen=True)
class Item:
    """One line of the input."""

    line_number: int
    id: Identifier
    text: str


def decode_file(
    engine: Engine[Any], settings: Settings, input_file: Path, output_file: Path, batch_size: int
) -> None:
    """Decode every line of `input_file` that `output_file` does not have yet.

    A broken line ends the run with an InputError that names it, after the lines before it are
    finished and written.
    """
    items = _read_items(input_file)
    num_lines = _count_lines(input_file)
    _check_same_settings(output_file, {"model": engine.name, "settings": settings.to_json()})
    done = _finished_ids(output_file)
    progress = Progress(
        TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with progress, output_file.open("a", encoding="utf-8") as output:
        task = progress.add_task("decoding", total=num_lines, completed=len(done))
        pending = (item for item in items if item.id not in done)
        for _ in _decode(engine, settings, pending, input_file, output, batch_size):
            progress.advance(task)


def _decode(
    engine: Engine[Any],
    settings: Settings,
    items: Iterator[Item],
    input_file: Path,
    output: TextIO,
    batch_size: int,
) -> Iterator[Identifier]:
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
                    running[item.id] = _start(engine, settings, item, input_file)
            except InputError as error:
                broken, is_exhausted = error, True
        engine.step(list(running.values()))
        for id_, session in list(running.items()):
            if not session.is_active:
                del running[id_]
                output.write(json.dumps(_result(id_, session, engine), ensure_ascii=False) + "\n")
                output.flush()
                yield id_
    if broken is not None:
        raise broken


def _start(engine: Engine[Any], settings: Settings, item: Item, file: Path) -> Session[Any]:
    session = engine.open(settings)
    try:
        session.give(item.text)
    except (InputError, ContextFullError) as error:
        raise InputError(f"{file}:{item.line_number}: {error}") from None
    return session


def _result(id_: Identifier, session: Session[Any], engine: Engine[Any]) -> dict[str, Any]:
    reply = reply_of(session, engine.name, seconds=0.0).to_json()
    return {"id": id_} | {k: reply[k] for k in ("channels", "rows", "ttft_rows", "stopped_by")}


def _read_items(path: Path) -> Iterator[Item]:
    if not path.is_file():
        raise InputError("--input", expected="a JSONL file", got=f"{path}: no such file")
    return _parse_items(path)


def _parse_items(path: Path) -> Iterator[Item]:
    seen: dict[Identifier, int] = {}
    with path.open("rb") as file:
        for line_number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{path}:{line_number}"
            try:
                data = json.loads(line.decode("utf-8"))
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
                raise InputError(where, expected='JSON {"id", "text"}', got=error) from None
            id_ = data.get("id") if isinstance(data, dict) else None
            text = data.get("text") if isinstance(data, dict) else None
            if not isinstance(id_, str | int) or isinstance(id_, bool) or not isinstance(text, str):
                raise InputError(
                    where, expected='{"id": string or integer, "text": string}',
                    got=line.decode("utf-8").strip()[:80],
                )  # fmt: skip
            if id_ in seen:
                raise InputError(where, expected="a new id", got=f"{id_!r} of line {seen[id_]}")
            seen[id_] = line_number
            yield Item(line_number, id_, text)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _finished_ids(path: Path) -> set[Identifier]:
    """Ids of the results in `path`, which is cut back to its last whole line."""
    if not path.exists():
        return set()
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    ids: set[Identifier] = set()
    for line_number, line in enumerate(whole.splitlines(), start=1):
        try:
            ids.add(json.loads(line)["id"])
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}:{line_number}", expected="a result of motet run", got=error,
                fix="give another --output",
            ) from None  # fmt: skip
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return ids


def _check_same_settings(output_file: Path, meta: dict[str, Any]) -> None:
    """Write OUTPUT.meta.json, or InputError if results made otherwise stand there already."""
    path = output_file.with_name(output_file.name + ".meta.json")
    if output_file.exists() and output_file.stat().st_size and path.exists():
        try:
            earlier = json.loads(path.read_text("utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(str(path), expected="JSON", got=error) from None
        if earlier != meta:
            raise InputError(
                str(output_file), expected="results of the same model and settings",
                got=f"others, see {path.name}", fix="give another --output",
            )  # fmt: skip
    try:
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(meta, indent=2) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError("--output", expected="a file that can be written", got=error) from None
