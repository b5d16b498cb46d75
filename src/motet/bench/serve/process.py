"""A server of our own to measure: `motet serve` as a child process, on a free port of this machine.

Its journal is a file, as a user's is, in a folder that goes with it.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from motet.errors import BenchError

__all__ = ["START_S", "served"]

START_S = 600.0
"""A large model takes long to load."""
_STOP_S = 20.0
_URL = re.compile(r"https?://\S+")


@contextlib.contextmanager
def served(model: str, num_sessions: int, options: Sequence[str] = ()) -> Iterator[str]:
    """Serve `model` with room for so many sessions; yields the URL.

    Raises BenchError if it can't start.
    """
    with tempfile.TemporaryDirectory(prefix="motet-bench-") as folder:
        command = [
            sys.executable, "-m", "motet", "serve", model, "--port", "0", "--rate", "0",
            "--journal", f"{folder}/journal.sqlite", "--max-sessions", str(num_sessions), *options,
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
        ) as process:
            said: deque[str] = deque(maxlen=20)
            assert process.stderr is not None
            listening = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
            listening.start()
            try:
                yield _url(process, said, listening)
            finally:
                _stop(process)


def _url(process: subprocess.Popen[str], said: deque[str], listening: threading.Thread) -> str:
    """The URL that the server prints once it listens."""
    assert process.stdout is not None
    clock = threading.Timer(START_S, process.kill)
    clock.start()
    try:
        for line in process.stdout:
            if found := _URL.search(line):
                return found[0]
    finally:
        clock.cancel()
    process.wait()
    listening.join(_STOP_S)
    reason = said[-1].strip() if said else f"exit code {process.returncode}"
    raise BenchError("motet serve", expected="a server that starts", got=reason)


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
