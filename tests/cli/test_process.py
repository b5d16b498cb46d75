"""Real processes of the command: what stands between it and a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "motet", *map(str, arguments)]


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(own: Path, process_env: dict[str, str]) -> None:
    text = "one\ntwo\n" * 20
    process = subprocess.Popen(
        command("run", own, text, "--max-rows", 400), env=process_env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert b": " in process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(300) == 1


@pytest.mark.slow
def test_json_through_a_pipe_that_knows_only_ascii(own: Path, process_env: dict[str, str]) -> None:
    env = process_env | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        command("run", own, "-", "--json", "--max-rows", 50), input="漢 🙂".encode(), env=env,
        capture_output=True, timeout=300,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout.decode("ascii"))["channels"]["User"] == "漢 🙂"


def test_a_mistake_needs_no_torch_and_no_traceback(process_env: dict[str, str]) -> None:
    result = subprocess.run(
        command("run", "hi", "--temperature", "warm"), env=process_env, capture_output=True,
        timeout=300,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"motet: Invalid value for '--temperature'")
    assert result.stderr.count(b"\n") == 1


def test_the_command_line_does_not_load_torch(process_env: dict[str, str]) -> None:
    """A mistake and --help answer at once."""
    code = "import sys, motet.cli.main; print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], env=process_env, capture_output=True, timeout=300, check=True
    )
    assert result.stdout == b"[]\n"
