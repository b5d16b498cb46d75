"""`motet serve` as a process: its one line, its signals, its refusals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from motet.cli.main import invoke

KEY = "never-in-a-log-1"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTET_")}
    return kept | {
        "PYTHONPATH": str(ROOT / "src"), "XDG_STATE_HOME": str(tmp_path), "PYTHONWARNINGS": "error"
    }  # fmt: skip


@pytest.fixture
def started(environment: dict[str, str]) -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate(timeout=60)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "motet", "serve", *map(str, arguments)]


def start(
    started: list[subprocess.Popen[str]], environment: dict[str, str], *arguments: object
) -> tuple[subprocess.Popen[str], str]:
    """A server process and its URL."""
    process = subprocess.Popen(
        command("--port", 0, "--threads", 1, *arguments), env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    started.append(process)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.fullmatch(r"motet-tiny is served at http://127\.0\.0\.1:\d+\n", line)
    return process, line.split()[-1]


@pytest.mark.slow
def test_a_signal_ends_it_with_0(
    started: list[subprocess.Popen[str]], environment: dict[str, str], tmp_path: Path
) -> None:
    environment["MOTET_API_KEYS"] = KEY
    process, url = start(started, environment, "--log-format", "json", "--log-level", "debug")
    with_key = {"authorization": f"Bearer {KEY}"}
    assert httpx.get(f"{url}/v1/models", headers=with_key, trust_env=False).status_code == 200
    process.terminate()
    output, log = process.communicate(timeout=60)
    assert process.returncode == 0
    assert output == ""
    assert '"route": "/v1/models"' in log
    assert KEY not in log
    assert "Traceback" not in log
    assert (tmp_path / "motet" / "journal.sqlite").stat().st_mode & 0o077 == 0


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., str]:
    """Run the command in this process; the one line with which it refuses."""
    monkeypatch.delenv("MOTET_API_KEYS", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(*arguments: object) -> str:
        assert invoke(["serve", *map(str, arguments)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("motet: ")
        assert said.err.count("\n") == 1
        return said.err

    return run


def test_a_port_in_use(refused: Callable[..., str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "address already in use; choose another" in refused("--port", port)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "0.0.0.0"], "set MOTET_API_KEYS or give --allow-open"),
        (["--host", "203.0.113.7", "--api-key", KEY], "an address of this machine"),
        (["--host", "no.such.host.invalid", "--api-key", KEY], "an address of this machine"),
        (["--api-key", "short"], "8 to 256 letters"),
        (["--api-key-file", "/no/such/file"], "No such file"),
        (["--allow-origin", "*"], "--allow-origin"),
        (["--max-sessions", "0"], "--max-sessions"),
        (["--rate", "nan"], "rate"),
        (["--context-policy", "forget"], "--context-policy"),
        (["--journal", "/proc/none/journal"], "journal"),
        (["no-such-model"], "no-such-model"),
    ],
)
def test_mistakes(refused: Callable[..., str], arguments: list[str], complaint: str) -> None:
    assert complaint in refused("--port", 0, *arguments)


@pytest.mark.slow
def test_open_to_all_is_said_clearly(
    started: list[subprocess.Popen[str]], environment: dict[str, str]
) -> None:
    process, _ = start(
        started, environment, "--host", "0.0.0.0", "--allow-open", "--journal", "none"
    )
    process.send_signal(signal.SIGINT)
    log = process.communicate(timeout=60)[1]
    assert "warning: this server can be used from other machines, by anybody\n" in log
    assert process.returncode == 0
