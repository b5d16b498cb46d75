"""A corpus in slices: all records once, whatever the files and sizes; what is broken is named."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.data.project.corpus import corpus_files, cut, read_slice, sources
from motet.errors import DataError


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path, row_group_size=3)
    else:
        path.write_text(text.rstrip("\n"), "utf-8")  # the last line may lack its end
    return path


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 10),
    st.lists(st.sampled_from([".jsonl", ".jsonl.gz", ".parquet"]), min_size=4, max_size=4),
)
def test_slices_are_all_records_once(sizes: list[int], per_slice: int, suffixes: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files, expected = [], []
        for n, (size, suffix) in enumerate(zip(sizes, suffixes, strict=False)):
            records = [{"n": n, "i": i, "text": "ü\u2028" * i} for i in range(size)]
            files.append(write(Path(folder) / f"f{n}{suffix}", records))
            expected += [(f"f{n}-{i + 1}", record) for i, record in enumerate(records)]
        slices = cut(files, per_slice)
        assert all(part.num_records <= per_slice for part in slices)
        found = [(entry.name, entry.data) for part in slices for entry in read_slice(part)]
        assert found == expected


def test_an_id_is_kept_and_the_place_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.b.jsonl", [{"id": "x"}, {"id": 5}, {"id": ""}])
    entries = [entry for part in cut([file], 2) for entry in read_slice(part)]
    assert [entry.name for entry in entries] == ["x", "a-2", "a-3"]
    assert entries[2].where == f"{file}: line 3"


def test_folders_are_their_files_in_order(tmp_path: Path) -> None:
    names = ["b.jsonl", "a.parquet", "c.jsonl.gz", "readme.md"]
    for name in names:
        (tmp_path / name).write_text("")
    (tmp_path / "sub.jsonl").mkdir()
    files = corpus_files([tmp_path, tmp_path / "b.jsonl"])
    assert [file.name for file in files] == ["a.parquet", "b.jsonl", "c.jsonl.gz", "b.jsonl"]
    assert [source["file"] for source in sources(files)] == [file.name for file in files]


@pytest.mark.parametrize("name", ["none", "readme.md", "empty"])
def test_nothing_to_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "readme.md").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected files \.jsonl, \.jsonl\.gz, \.parquet"):
        corpus_files([tmp_path / name])


def test_empty_files_are_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(DataError, match="at least one record"):
        cut([tmp_path / "a.jsonl"], 5)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a"\n', "line 2: expected JSON"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "line 2: expected a JSON object, got list"),
        ("a.jsonl", b'{"a": 1}\n\xff\n', "line 2: expected JSON"),
        ("a.jsonl.gz", b"no gzip", "expected a file of JSON lines"),
        ("a.jsonl.gz", gzip.compress(b"{}\n" * 99, mtime=0)[:-9], "expected a file of JSON lines"),
        ("a.parquet", b"no parquet", "expected a Parquet file"),
    ],
)
def test_what_is_broken_is_named(tmp_path: Path, name: str, content: bytes, named: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}.*{named}"):
        [entry for part in cut([tmp_path / name], 1) for entry in read_slice(part)]
