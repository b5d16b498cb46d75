"""`motet data project` and `tokenize` as they are typed: what they make, say and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motet.cli.main import invoke
from motet.data.grids import GridDataset, tokenizer_sha256
from motet.data.tables import TableDataset
from motet.formats.directory import EMBEDDED, read_directory
from tests.data.format.conversations import contents
from tests.streams.bpe import byte_level_bpe

PROBLEM = {
    "question": "Ann has 6 clips and buys 2 boxes of 4. How many are there?",
    "answer": "She buys 2*4 = <<2*4=8>>8 clips.\nNow there are 6+8 = <<6+8=14>>14.\n#### 14",
}
CHANNELS = ["User", "Output", "Analytical", "Doubt"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As GSM8K comes: train.jsonl and test.jsonl."""
    lines = [PROBLEM] * 4 + [{"question": "?", "answer": "#### 4"}]
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert invoke([str(argument) for argument in ("data", *arguments)]) == 0
    return capsys.readouterr().out


def refuse(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert invoke([str(argument) for argument in ("data", *arguments)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_from_a_corpus_to_grids_that_fit_a_model(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, grids = folder / "tables", folder / "grids"
    made = run(capsys, "project", "gsm8k", folder, tables, "--planted", 1, "--per-shard", 2)
    assert made.startswith(f"{tables}: 4 conversations, ")
    assert "rows, shards: 2, in " in made
    assert "left out, no annotated step: 1" in made
    made = run(capsys, "tokenize", tables, grids, "--model", EMBEDDED)
    assert made.startswith(f"{grids}: 4 conversations, ")
    directory = read_directory(EMBEDDED)
    dataset = GridDataset.open(grids)
    dataset.check_fit(directory.layout, tokenizer_sha256(directory.path))
    assert all(grid.learned_RC is not None for grid in dataset.read())
    description = TableDataset.open(tables).description
    assert description.made_by.command[:4] == ("motet", "data", "project", "gsm8k")
    assert str(folder) not in (tables / "dataset.json").read_text()
    again = run(capsys, "tokenize", tables, grids, "--model", EMBEDDED)
    assert again.endswith("there already\n")


def test_processes_change_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--planted", 0.5, "--per-shard", 2)
    run(capsys, "project", "gsm8k", folder, folder / "one", *options)
    run(capsys, "project", "gsm8k", folder, folder / "two", *options, "--processes", 2)
    assert contents(folder / "one") == contents(folder / "two")


def test_the_published_corpus_in_words_and_in_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns as its card describes them: a list of phrases, or of tokens, a channel."""
    tokenizer = byte_level_bpe()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    silence = tokenizer.encode(" -").ids[0]
    spoken = tokenizer.encode(" The answer").ids
    words = {name: ["-", "-", "-"] for name in CHANNELS} | {"User": ["Is", "it", "so?"]}
    tokens = {name: [silence] * len(spoken) for name in CHANNELS} | {"Output": spoken}
    both = {"raw": (words, 3), "processed": (tokens, len(spoken))}
    for name, (columns, num_rows) in both.items():
        record = {"id": "sample_1", "input_prompt": "Is it so?", "num_rows": num_rows, **columns}
        pq.write_table(pa.Table.from_pylist([record]), tmp_path / f"{name}.parquet")
    choice = ("--channels", "User=User,Output=Output,Think=Analytical")
    run(capsys, "project", "streams", tmp_path / "raw.parquet", tmp_path / "a", *choice)
    (table,) = TableDataset.open(tmp_path / "a").read()
    assert (table.id, table.messages("User")) == ("sample_1", ["Is it so?"])
    source, target = tmp_path / "processed.parquet", tmp_path / "b"
    error = refuse(capsys, "project", "streams", source, target, *choice)
    assert "row 1: User: expected words, got tokens; name their tokenizer" in error
    tokenizer_option = ("--tokenizer", tmp_path / "tokenizer.json")
    run(capsys, "project", "streams", source, tmp_path / "c", *choice, *tokenizer_option)
    (table,) = TableDataset.open(tmp_path / "c").read()
    assert table.messages("Output") == [" The answer"]
    made_of = TableDataset.open(tmp_path / "c").description.made_by.sources
    assert [source["file"] for source in made_of] == ["processed.parquet", "tokenizer.json"]
    other = ("--tokenizer", tmp_path / "none.json")
    assert "none.json" in refuse(capsys, "project", "streams", source, target, *choice, *other)
    renamed = ("--channels", "User=User,Reply:output=Output")
    run(capsys, "project", "streams", tmp_path / "c", tmp_path / "d", *renamed)
    (table,) = TableDataset.open(tmp_path / "d").read()
    assert table.messages("Reply") == [" The answer"]
    error = refuse(
        capsys, "project", "streams", tmp_path / "c", tmp_path / "e", *renamed, "--end-after", 2
    )
    assert "--tokenizer, --end-after: expected a corpus of words or tokens" in error


def test_chats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    messages = [
        {"role": "user", "content": "2 and 2?"},
        {"role": "assistant", "reasoning": "2+2=4", "content": "4."},
    ]
    lines = [{"messages": messages}, {"messages": messages[:1]}]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, lines)))
    made = run(capsys, "project", "chat", tmp_path, tmp_path / "d", "--wait-k", 3)
    assert made.endswith("left out, no reply at the end: 1\n")
    (table,) = TableDataset.open(tmp_path / "d").read()
    assert table.meta == {"source": "chat", "wait_k": 3}


def test_mistakes_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = folder / "tables"
    run(capsys, "project", "gsm8k", folder, tables)
    other = refuse(capsys, "project", "gsm8k", folder, tables, "--planted", 0.5)
    assert "another (made_by.command: " in other
    assert "no such file" in refuse(capsys, "project", "gsm8k", folder / "x", folder / "y")
    assert "--planted" in refuse(capsys, "project", "gsm8k", folder, folder / "y", "--planted", 2)
    assert "--wait-k" in refuse(capsys, "project", "chat", folder, folder / "y", "--wait-k", 1)
    chats = refuse(capsys, "project", "chat", folder / "train.jsonl", folder / "y")
    assert "train.jsonl: line 1: messages: expected a list" in chats
    bad = refuse(capsys, "project", "streams", folder, folder / "y", "--channels", "User")
    assert "--channels: expected NAME=SOURCE" in bad
    gone = refuse(capsys, "tokenize", folder / "x", folder / "y", "--model", EMBEDDED)
    assert "dataset: expected" in gone
    model = refuse(capsys, "tokenize", tables, folder / "y", "--model", folder / "x")
    assert "model: expected" in model
    into = refuse(capsys, "tokenize", tables, folder, "--model", EMBEDDED)
    assert "expected a new or empty directory, got other files" in into


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys; from motet.cli.main import invoke; invoke(['data', '--help']);"
        "sys.exit(str(sorted({'torch', 'pyarrow', 'datasets', 'ray'} & sys.modules.keys())))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "[]\n"
    assert "project" in done.stdout
