"""`motet serve` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """A server that has begun to serve; what it logs goes to a file."""

    def __init__(self, log: Path, *options: str, **environment: str) -> None:
        self.log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOTET_")}
        kept |= {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", **environment}
        with log.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "motet", "serve", "--port", "0", "--threads", "1", *options],
                stdout=subprocess.PIPE, stderr=file, text=True, env=kept,
            )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert " is served at http" in line, log.read_text()
        self.url = line.split()[-1]

    @property
    def live_url(self) -> str:
        """Where the live sockets are."""
        return self.url.replace("http", "ws", 1) + "/v1/live"

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> str:
        """End it if it still runs; what it has said on stdout since it began to serve."""
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            return stdout.read()
