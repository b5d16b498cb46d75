"""The files of a corpus, cut into slices of so many records: JSON lines, plain or gzip, or Parquet.

Slice i is the same whoever reads it. A slice of a plain file is read from its place on; of a gzip
file all that stands before it is decompressed again, so large ones are better unpacked first.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from motet.data.dataset import file_sha256
from motet.data.tables import parse_line
from motet.errors import DataError

__all__ = ["Entry", "Slice", "corpus_files", "cut", "read_slice", "sources"]

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")
_BROKEN = (OSError, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: its fields, a name for it, and where it stands, for errors."""

    data: dict[str, Any]
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Slice:
    """Records first to first + num_records - 1 of a file; `offset` is where they start in bytes."""

    path: Path
    first: int
    num_records: int
    offset: int


def corpus_files(paths: Sequence[Path]) -> list[Path]:
    """Files as they are given, of folders all that fit by name; DataError if there is none."""
    files: list[Path] = []
    for path in paths:
        found = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
        fitting = [file for file in found if file.name.endswith(SUFFIXES) and file.is_file()]
        if not fitting:
            got = "no such file" if not path.exists() else "none"
            raise DataError(str(path), expected=f"files {', '.join(SUFFIXES)}", got=got)
        files += fitting
    return files


def sources(files: Sequence[Path]) -> tuple[dict[str, Any], ...]:
    """What `dataset.json` says of the files: their names, not where they are."""
    return tuple(
        {"file": f.name, "num_bytes": f.stat().st_size, "sha256": file_sha256(f)} for f in files
    )


def cut(files: Sequence[Path], num_records: int) -> list[Slice]:
    """All files in slices of `num_records` records; the last of a file may have fewer."""
    slices: list[Slice] = []
    for path in files:
        if path.suffix == ".parquet":
            total = _num_parquet_rows(path)
            starts = range(0, total, num_records)
            slices += [Slice(path, i, min(num_records, total - i), 0) for i in starts]
        else:
            slices += _cut_lines(path, num_records)
    if not slices:
        raise DataError("corpus", expected="at least one record", got="empty files")
    return slices


def _cut_lines(path: Path, num_records: int) -> Iterator[Slice]:
    with _opened(path) as file:
        first = count = offset = end = 0
        for line in file:
            count += 1
            end += len(line)
            if count == num_records:
                yield Slice(path, first, count, offset)
                first, count, offset = first + count, 0, end
        if count:
            yield Slice(path, first, count, offset)


def read_slice(part: Slice) -> Iterator[Entry]:
    """The records of a slice; DataError with file and line where one is broken."""
    records = _parquet_rows if part.path.suffix == ".parquet" else _json_lines
    stem = part.path.name.split(".")[0]
    for number, (data, where) in enumerate(records(part), start=part.first + 1):
        if not isinstance(data, dict):
            raise DataError(where, expected="a JSON object", got=type(data).__name__)
        name = data.get("id")
        yield Entry(data, name if isinstance(name, str) and name else f"{stem}-{number}", where)


def _json_lines(part: Slice) -> Iterator[tuple[Any, str]]:
    with _opened(part.path) as file:
        file.seek(part.offset)
        lines = islice(file, part.num_records)
        for number, line in enumerate(lines, start=part.first + 1):
            where = f"{part.path}: line {number}"
            yield parse_line(line, where), where


def _parquet_rows(part: Slice) -> Iterator[tuple[Any, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first, last = part.first, part.first + part.num_records
    try:
        file = pq.ParquetFile(part.path, memory_map=True)
        row = 0
        for group in range(file.metadata.num_row_groups):
            start, row = row, row + file.metadata.row_group(group).num_rows
            if start < last and row > first:
                rows = file.read_row_group(group).slice(
                    max(first - start, 0), last - max(start, first)
                )
                for number, data in enumerate(rows.to_pylist(), start=max(start, first) + 1):
                    yield data, f"{part.path}: row {number}"
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(part.path), expected="a Parquet file", got=error) from None


def _num_parquet_rows(path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(str(path), expected="a Parquet file", got=error) from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        opening: Callable[[Path, str], Any] = gzip.open if path.suffix == ".gz" else Path.open
        with opening(path, "rb") as file:
            yield file
    except _BROKEN as error:
        raise DataError(str(path), expected="a file of JSON lines", got=error) from None
