"""`motet data distill` with the embedded model, in this process and behind a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from motet.cli.main import invoke
from motet.data.grids import GridDataset, tokenizer_sha256
from motet.data.readable import table_of
from motet.data.tables import TableDataset
from motet.data.verify.arithmetic import check_arithmetic
from motet.data.verify.causality import check_causality
from motet.engine import load
from motet.formats.directory import EMBEDDED, resolve
from tests.server.process import ROOT, ServerProcess

QUESTIONS = [
    {"id": 1, "question": "What is 47 + 38?", "answer": "#### 85"},
    {"id": 2, "question": "Lena has 12 pens and loses 5. How many are left?", "answer": 7},
    {"id": 3, "question": "What is 6 times 7?", "answer": "42"},
    {"id": 4, "question": "What is 6 times 8?", "answer": "49"},
    {"id": 5, "question": "word " * 600, "answer": "1"},
]
OPTIONS = ["--samples", "3", "--temperature", "0.8", "--threads", "1"]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    path.write_text("\n".join(map(json.dumps, QUESTIONS)))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    """The exit code, the line of JSON on stdout, and stderr."""
    capsys.readouterr()
    code = invoke(["data", "distill", *map(str, arguments)])
    said = capsys.readouterr()
    facts = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    return code, facts[0] if facts else None, said.err


def files_of(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in dataset.iterdir()}


def test_what_is_right_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path
) -> None:
    out = tmp_path / "out"
    code, facts, _ = run(capsys, EMBEDDED, questions, out, *OPTIONS)
    assert code == 0
    assert facts["rollouts"] == 15
    assert facts["kept"] + sum(facts["left_out"].values()) == 15
    assert facts["left_out"]["too_long"] == 3
    assert facts["left_out"]["wrong"] >= 3  # 6 times 8 is not 49
    dataset = GridDataset.open(out)
    assert len(dataset) == facts["kept"] > 0
    assert dataset.description.left_out == facts["left_out"]
    engine = load(threads=1)
    layout = engine.codec.layout
    digest = dataset.description.tokenizer_sha256
    dataset.check_fit(layout, digest)
    assert (out / "tokenizer.json").read_bytes() == (
        resolve(EMBEDDED) / "tokenizer.json"
    ).read_bytes()
    for grid in dataset.read():
        assert grid.meta["source"] == "distill"
        said = engine.codec.text(grid.tokens_RC[:, layout.output_index].tolist())
        right = next(q["answer"] for q in QUESTIONS if q["id"] == grid.meta["question_id"])
        assert str(right).removeprefix("#### ") in said
        settings = engine.settings(seed=grid.meta["seed"])
        sampling = settings.sampling.__class__(**{**vars(settings.sampling), "temperature": 0.8})
        again = engine.open(engine.settings(seed=grid.meta["seed"], sampling=sampling))
        again.give(grid.meta["question"])
        engine.finish([again])
        assert again.grid.tokens_RC.tolist() == grid.tokens_RC.tolist()  # exactly as it was said
    code, again_facts, _ = run(capsys, EMBEDDED, questions, out, *OPTIONS)
    assert (code, again_facts) == (0, facts)


def test_the_batch_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path
) -> None:
    for name, batch_size in (("one", 1), ("many", 32)):
        size = ["--batch-size", batch_size]
        assert run(capsys, EMBEDDED, questions, tmp_path / name, *OPTIONS, *size)[0] == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "many")
    assert run(capsys, EMBEDDED, questions, tmp_path / "each", *OPTIONS, "--each", 1)[0] == 0
    ids = [grid.meta["question_id"] for grid in GridDataset.open(tmp_path / "each").read()]
    assert len(set(ids)) == len(ids)


def test_sound_rollouts_are_those_in_which_nothing_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of these the model knows the answer and sometimes not the way."""
    path = tmp_path / "q.jsonl"
    asked = {"What is 412 - 95?": 317, "What is 384 * 7?": 2688, "What is 657 + 486?": 1143}
    lines = [json.dumps({"question": q, "answer": str(a)}) for q, a in asked.items()]
    path.write_text("\n".join(lines))
    many = ["--samples", 24, "--temperature", 1.5, "--threads", 1]
    assert run(capsys, EMBEDDED, path, tmp_path / "all", *many)[0] == 0
    code, facts, _ = run(capsys, EMBEDDED, path, tmp_path / "sound", *many, "--sound")
    assert code == 0
    codec = load(threads=1).codec
    kept = {grid.id: grid for grid in GridDataset.open(tmp_path / "sound").read()}
    num_unsound = 0
    for grid in GridDataset.open(tmp_path / "all").read():
        table = table_of(grid, codec)
        found = [*check_causality(table), *check_arithmetic(table).findings]
        is_sound = not any(one.is_fault for one in found)
        num_unsound += not is_sound
        assert (grid.id in kept) == is_sound
    assert num_unsound > 0
    assert facts["left_out"]["wrong_sum"] >= num_unsound


def test_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path
) -> None:
    out = tmp_path / "out"
    assert run(capsys, EMBEDDED, questions, out, "--limit", 1)[0] == 0
    code, _, complaint = run(capsys, EMBEDDED, questions, out, "--seed", 3)
    assert code == 2
    assert "seed" in complaint
    code, _, complaint = run(capsys, EMBEDDED, questions, tmp_path / "b", "--tokenizer", EMBEDDED)
    assert code == 2
    assert "--tokenizer" in complaint
    assert not (tmp_path / "b").exists()


def test_nothing_right_is_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "What is 6 times 8?", "answer": "49"}')
    code, facts, complaint = run(capsys, EMBEDDED, path, tmp_path / "out")
    assert (code, facts["kept"], facts["left_out"]) == (2, 0, {"wrong": 1})
    assert "out.attempts.jsonl" in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kill_and_start_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path
) -> None:
    out = tmp_path / "killed"
    many = [*OPTIONS[2:], "--samples", "12", "--batch-size", "1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "motet", "data", "distill", EMBEDDED, str(questions), str(out)]
    process = subprocess.Popen([*command, *many], env=env, stdout=subprocess.DEVNULL)
    attempts = tmp_path / "killed.attempts.jsonl"
    deadline = time.monotonic() + 60
    while not attempts.exists() or len(attempts.read_bytes().splitlines()) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    num_lines = len(attempts.read_bytes().splitlines())
    assert num_lines < 61
    assert run(capsys, EMBEDDED, questions, out, *many)[0] == 0
    assert len(attempts.read_bytes().splitlines()) == 61
    assert run(capsys, EMBEDDED, questions, tmp_path / "whole", *many)[0] == 0
    assert files_of(out) == files_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_file_as_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path
) -> None:
    """The grids fit the model directory that the file was made of, and is made of the file."""
    file = tmp_path / "tiny.gguf"
    assert invoke(["convert", EMBEDDED, str(file)]) == 0
    assert run(capsys, file, questions, tmp_path / "out", *OPTIONS)[0] == 0
    dataset = GridDataset.open(tmp_path / "out")
    dataset.check_fit(load(threads=1).codec.layout, tokenizer_sha256(resolve(EMBEDDED)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    process = ServerProcess(folder / "log", "--journal", "none")
    yield process
    process.close()


@pytest.mark.slow
def test_a_server_gives_the_same_grids(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path, server: ServerProcess
) -> None:
    assert run(capsys, EMBEDDED, questions, tmp_path / "here", *OPTIONS)[0] == 0
    there = ["--tokenizer", EMBEDDED, *OPTIONS[:4], "--batch-size", 4]
    assert run(capsys, server.url, questions, tmp_path / "there", *there)[0] == 0
    here, served = (list(GridDataset.open(tmp_path / n).read()) for n in ("here", "there"))
    assert [g.tokens_RC.tolist() for g in here] == [g.tokens_RC.tolist() for g in served]
    assert [g.meta for g in here] == [g.meta for g in served]


@pytest.mark.slow
def test_a_server_of_unknown_tokens_gives_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: Path, server: ServerProcess
) -> None:
    assert run(capsys, EMBEDDED, questions, tmp_path / "here", *OPTIONS)[0] == 0
    assert run(capsys, server.url, questions, tmp_path / "there", *OPTIONS[:4])[0] == 0
    tables = list(TableDataset.open(tmp_path / "there").read())
    grids = GridDataset.open(tmp_path / "here")
    codec = load(threads=1).codec
    assert len(tables) == len(grids) > 0
    for table, grid in zip(tables, grids.read(), strict=True):
        for index, name in enumerate(codec.layout.names):
            cells = [cell for cell in table.column(name) if cell is not None]
            said = "".join(cell.text + ("\n" if cell.end else "") for cell in cells)
            assert said.removesuffix("\n") == codec.text(grid.tokens_RC[:, index].tolist())
    target = tmp_path / "again"
    assert (
        invoke(["data", "tokenize", str(tmp_path / "there"), str(target), "--model", EMBEDDED]) == 0
    )
    again = [grid.tokens_RC.tolist() for grid in GridDataset.open(target).read()]
    assert again == [grid.tokens_RC.tolist() for grid in grids.read()]
