"""`motet run --input --output`: whole files of messages."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from motet.engine import Engine
from tests.cli.conftest import Motet

TEXTS = [
    "hello",
    "  leading and trailing  ",
    "two\nlines",
    "👩‍👩‍👧 and 漢字",
    "a longer message of many words that takes its time to be read row by row",
    "x",
    "a - b <end>",
    "the last one",
]
# soon after the User has spoken everybody falls silent, so turns end at different rows
HUSH = (
    "--max-rows", 120, "--quiet-rows", 4, "--silence-penalty-output", -90,
    "--silence-penalty-thought", -90,
)  # fmt: skip
MANY = 60
Document = dict[str, Any]


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A file of eight messages, ids of both types."""
    return write(tmp_path / "in.jsonl", *({"id": i if i % 2 else str(i), "text": t} for i, t in
                 enumerate(TEXTS)))  # fmt: skip


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def write(path: Path, *lines: object) -> Path:
    encoded = [x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines]
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path


def read(path: Path) -> dict[str | int, Document]:
    """Results by id; every line whole, every id once."""
    content = path.read_text("utf-8")
    assert not content or content.endswith("\n")
    documents = [json.loads(line) for line in content.splitlines()]
    results = {document["id"]: document for document in documents}
    assert len(results) == len(documents), "an id came twice"
    return results


def files(input_file: Path, output_file: Path) -> tuple[object, ...]:
    return "--input", input_file, "--output", output_file


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_results_equal_single_runs(
    motet: Motet, own: Path, messages: Path, output: Path, batch_size: int
) -> None:
    result = motet("run", own, *files(messages, output), *HUSH, "--batch-size", batch_size)
    assert (result.code, result.out) == (0, "")
    results = read(output)
    assert set(results) == {"0", 1, "2", 3, "4", 5, "6", 7}
    assert len({document["rows"] for document in results.values()}) > 3
    for number, text in enumerate(TEXTS):
        alone = motet("run", own, text, "--json", *HUSH).json
        together = results[number if number % 2 else str(number)]
        assert list(together) == ["id", "channels", "rows", "ttft_rows", "stopped_by"]
        assert {key: alone[key] for key in together if key != "id"} == {
            key: value for key, value in together.items() if key != "id"
        }


def test_the_order_of_lines_changes_no_result(
    motet: Motet, own: Path, messages: Path, tmp_path: Path
) -> None:
    backwards = tmp_path / "backwards.jsonl"
    backwards.write_bytes(b"".join(reversed(messages.read_bytes().splitlines(keepends=True))))
    for source in (messages, backwards):
        out = source.with_suffix(".out")
        assert motet("run", own, *files(source, out), *HUSH, "--batch-size", 3).code == 0
    assert read(messages.with_suffix(".out")) == read(backwards.with_suffix(".out"))


def test_progress_is_a_line_on_stderr(
    motet: Motet, own: Path, messages: Path, output: Path
) -> None:
    result = motet("run", own, *files(messages, output), *HUSH)
    assert result.out == ""
    assert result.err.startswith("motet: decoded 8 of 8 in ")
    assert result.err.count("\n") == 1
    again = motet("run", own, *files(messages, output), *HUSH)
    assert again.err.startswith("motet: 8 of 8 are there already\nmotet: decoded 8 of 8 in ")


def test_nothing_to_decode_is_fine(motet: Motet, own: Path, tmp_path: Path, output: Path) -> None:
    assert motet("run", own, *files(write(tmp_path / "none.jsonl"), output)).code == 0
    assert read(output) == {}
    blank = write(tmp_path / "blank.jsonl", b"", b"  \t", b"\r")
    assert motet("run", own, *files(blank, output)).code == 0
    assert read(output) == {}


def test_every_result_is_in_the_file_when_the_next_row_is_decoded(
    motet: Motet, own: Path, messages: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    step = Engine.step

    def spying(engine: Any, sessions: Any) -> Any:
        written = len(output.read_bytes().splitlines())
        sizes.append((len(sessions), written))
        return step(engine, sessions)

    monkeypatch.setattr(Engine, "step", spying)
    motet("run", own, *files(messages, output), *HUSH, "--batch-size", 2)
    assert {written for _, written in sizes} >= {0, 1, 5, 6, 7}
    assert all(running + written <= 8 for running, written in sizes)
    full = [running for running, written in sizes if written < 6]
    assert set(full) == {2}, "the batch ran dry"


def test_an_interrupted_run_keeps_its_results_and_goes_on(
    motet: Motet, own: Path, messages: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C as soon as four results are written."""
    command = ("run", own, *files(messages, output), *HUSH, "--batch-size", 2)
    step = Engine.step

    def impatient(engine: Any, sessions: Any) -> Any:
        if len(output.read_bytes().splitlines()) >= 4:
            raise KeyboardInterrupt
        return step(engine, sessions)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "step", impatient)
        result = motet(*command)
    assert result.code == 130
    assert result.err.endswith("motet: interrupted\n")
    first = read(output)
    assert 4 <= len(first) < 8
    with output.open("ab") as file:
        file.write(b'{"id": "6", "channels": {"User": "a -')  # a torn line
    assert motet(*command).code == 0
    whole = read(output)
    assert len(whole) == 8
    assert list(whole.items())[: len(first)] == list(first.items())
    reference = output.with_name("reference.jsonl")
    assert motet("run", own, *files(messages, reference), *HUSH).code == 0
    assert whole == read(reference)


BROKEN = [
    (b'{"id": 9, "text": "no end', "Unterminated string"),
    (b"not json", "column 1"),
    (b'{"id": 9, "text": "caf\xe9"}', "expected UTF-8, got byte 0xe9 at position 22"),
    (b'{"text": "no id"}', "no 'id'"),
    (b'{"id": 9}', "no 'text'"),
    (b"[1, 2]", "expected an object"),
    (b'"a string"', "expected an object"),
    (b'{"id": null, "text": "a"}', "id: expected a string or an integer, got null"),
    (b'{"id": true, "text": "a"}', "id: expected a string or an integer, got true"),
    (b'{"id": 1.0, "text": "a"}', "id: expected a string or an integer, got 1.0"),
    (b'{"id": [1], "text": "a"}', "id: expected a string or an integer, got [1]"),
    (b'{"id": 9, "text": 5}', "text: expected a string, got 5"),
    (b'{"id": 9, "text": null}', "text: expected a string, got null"),
    (b'{"id": 1, "text": "again"}', "expected a new id, got 1 of line 2"),
    (b'{"id": 9, "text": ""}', "got nothing"),
    (b'{"id": 9, "text": "  "}', "got blanks"),
    (b'{"id": 9, "text": "\\u001b[2J"}', "U+001B"),
    (b'{"id": 9, "text": "\\ud800"}', "surrogates"),
    (b'{"id": "\\udfff", "text": "a"}', "surrogates"),
    (b'{"id": 9, "text": "' + b"word " * 300 + b'"}', "max_rows"),
    (b'{"id": ' + b"9" * 5000 + b', "text": "a"}', "digits"),
    (b"[" * 100_000, "recursion"),
    (b'\x1b[2J{"id": 9}', "column 1"),
]


@pytest.mark.parametrize(("line", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_broken_line_is_named_and_the_ones_before_it_kept(
    motet: Motet, own: Path, messages: Path, output: Path, line: bytes, reason: str
) -> None:
    lines = messages.read_bytes().splitlines()
    write(messages, *lines[:3], line, *lines[3:])
    result = motet("run", own, *files(messages, output), *HUSH, "--batch-size", 2)
    assert (result.code, result.out) == (2, "")
    *_, complaint = result.err.splitlines()
    assert complaint.startswith(f"motet: {messages}:4: ")
    assert reason in complaint
    assert len(complaint) < 400 + len(str(messages))
    assert "\x1b" not in result.err
    assert set(read(output)) == {"0", 1, "2"}
    write(messages, *lines)  # mended
    assert motet("run", own, *files(messages, output), *HUSH).code == 0
    assert len(read(output)) == 8


def test_files_that_cannot_be_used_are_refused_before_anything_is_written(
    motet: Motet, own: Path, messages: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    link = tmp_path / "link.jsonl"
    link.symlink_to(messages)
    before = messages.read_bytes()
    out = tmp_path / "out.jsonl"
    for input_file, output_file, reason in [
        (tmp_path / "nothing", out, "nothing: no such file"),
        (folder, out, "a directory"),
        (messages, tmp_path / "no" / "out.jsonl", "no directory"),
        (messages, folder, "not a regular file"),
        (messages, Path("/dev/null"), "not a regular file"),
        (messages, messages, "another file than --input"),
        (messages, link, "another file than --input"),
    ]:
        complaint = motet("run", own, *files(input_file, output_file)).complaint
        assert reason in complaint
    assert messages.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "folder", "link.jsonl"}


def test_the_input_may_not_be_the_file_of_settings(
    motet: Motet, own: Path, messages: Path, tmp_path: Path
) -> None:
    meta = tmp_path / "out.jsonl.meta.json"
    messages.rename(meta)
    complaint = motet("run", own, *files(meta, tmp_path / "out.jsonl")).complaint
    assert "another file than --input" in complaint


@pytest.mark.parametrize("content", [b"dear diary\n", b'{"id": 1}\n', b"no newline", b"\x00\xff\n"])
def test_a_foreign_output_file_is_refused_and_left_as_it_is(
    motet: Motet, own: Path, messages: Path, output: Path, content: bytes
) -> None:
    output.write_bytes(content)
    assert (
        "a file without out.jsonl.meta.json"
        in motet("run", own, *files(messages, output)).complaint
    )
    assert output.read_bytes() == content


@pytest.mark.parametrize("line", [b"dear diary", b"[1]", b'{"di": 1}', b'{"id": []}', b"\xff"])
def test_a_spoilt_output_file_is_refused(
    motet: Motet, own: Path, messages: Path, output: Path, line: bytes
) -> None:
    assert motet("run", own, *files(messages, output), *HUSH).code == 0
    content = line + b"\n" + output.read_bytes()
    output.write_bytes(content)
    complaint = motet("run", own, *files(messages, output), *HUSH).complaint
    assert f"{output}:1: expected a result of motet run" in complaint
    assert output.read_bytes() == content


def test_results_made_otherwise_are_not_mixed(
    motet: Motet, own: Path, published: Path, messages: Path, output: Path, tmp_path: Path
) -> None:
    command = ("run", own, *files(messages, output), *HUSH)
    assert motet(*command).code == 0
    before = output.read_bytes()
    retrained = tmp_path / "own"
    retrained.mkdir()
    for file in own.iterdir():
        (retrained / file.name).write_bytes(file.read_bytes())
    weights = retrained / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x11")
    for other, reason in [
        ((*command, "--seed", 4), "(settings.seed)"),
        ((*command, "--top-k", 4), "(settings.sampling.top_k)"),
        ((*command, "--sampling", "Think:top_k=3"), "(settings.channel_sampling.Think)"),
        ((*command, "--ablate", "Think"), "(settings.ablate)"),
        ((*command, "--dtype", "bfloat16"), "(dtype)"),
        ((*command, "--conv-mode", "row_boundary"), "(conv_mode)"),
        (("run", published, *command[2:]), "model, model_fingerprint"),
        (("run", retrained, *command[2:]), "(model_fingerprint)"),
    ]:
        complaint = motet(*other).complaint
        assert reason in complaint
        assert "give another --output" in complaint
    assert output.read_bytes() == before
    assert motet(*command, "--batch-size", 1).code == 0, "the size of a batch changes no result"
    (tmp_path / "out.jsonl.meta.json").write_text("{")
    assert "expected JSON" in motet(*command).complaint


def test_a_full_disk_is_told_and_mended_by_starting_again(
    motet: Motet, own: Path, messages: Path, output: Path
) -> None:
    command = ("run", own, *files(messages, output), *HUSH)
    assert motet(*command).code == 0
    whole = read(output)
    output.unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        result = motet(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.code == 2
    assert "expected room for a result" in result.err
    assert "start again" in result.err
    assert output.stat().st_size == 1500
    assert motet(*command).code == 0
    assert read(output) == whole


def start(own: Path, messages: Path, output: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """A real process that has more to do than it will be given time for, also if we are slow."""
    arguments = ["run", own, *files(messages, output), "--max-rows", 150, "--batch-size", 1]
    return subprocess.Popen(
        [sys.executable, "-m", "motet", *map(str, arguments)], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def num_whole_lines(output: Path) -> int:
    """Lines that were written to their end."""
    return output.read_bytes().count(b"\n") if output.exists() else 0


def wait_for_lines(output: Path, process: subprocess.Popen[bytes], num_lines: int) -> None:
    deadline = time.monotonic() + 120
    while num_whole_lines(output) < num_lines:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no results came"
        time.sleep(0.01)


def test_killed_and_interrupted_in_the_middle_equals_uninterrupted(
    motet: Motet, own: Path, tmp_path: Path, output: Path, process_env: dict[str, str]
) -> None:
    messages = write(
        tmp_path / "many.jsonl", *({"id": i, "text": f"message {i}"} for i in range(MANY))
    )
    process = start(own, messages, output, process_env)
    wait_for_lines(output, process, 4)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    after_kill = num_whole_lines(output)
    assert 4 <= after_kill < MANY

    process = start(own, messages, output, process_env)
    wait_for_lines(output, process, after_kill + 4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, b"")
    assert err.splitlines()[0] == f"motet: {after_kill} of {MANY} are there already".encode()
    assert err.splitlines()[-1] == b"motet: interrupted"
    assert after_kill + 4 <= len(read(output)) < MANY

    command = ("run", own, "--max-rows", 150, "--batch-size", MANY)
    assert motet(*command, *files(messages, output)).code == 0
    reference = tmp_path / "reference.jsonl"
    assert motet(*command, *files(messages, reference)).code == 0
    assert len(read(output)) == MANY
    assert read(output) == read(reference)
