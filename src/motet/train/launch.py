"""Several processes on this machine that train together, as torchrun would start them.

The first one speaks; the others write to process-K.log in the run's folder. If one ends with a
mistake, the others are ended. If this process vanishes, they see their standard input end and end
themselves, so that a run that was killed has no one left who writes to its folder.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

__all__ = ["end_with_parent", "launch"]

LAUNCHED = "MOTET_LAUNCHED"
_POLL_S = 0.2
_PATIENCE_S = 30.0


def launch(arguments: Sequence[str], num_processes: int, folder: Path) -> int:
    """Run `motet ARGUMENTS` in `num_processes` processes; the exit code of the first that fails.

    SIGINT and SIGTERM are passed on: the processes agree on a step, save and stop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    with ExitStack() as stack:
        running: list[subprocess.Popen[bytes]] = []
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            earlier = signal.signal(signal_number, lambda n, _: _pass_on(running, n))
            stack.callback(signal.signal, signal_number, earlier)
        for rank in range(num_processes):
            environment = os.environ | {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(num_processes),
                "LOCAL_WORLD_SIZE": str(num_processes), "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port), LAUNCHED: "1",
            }  # fmt: skip
            environment.setdefault("OMP_NUM_THREADS", "1")
            log = None
            if rank:
                log = stack.enter_context((folder / f"process-{rank}.log").open("wb"))
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "motet", *arguments], env=environment,
                    stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                )
            )  # fmt: skip
        return _wait(running)


def end_with_parent() -> None:
    """In a launched process: end when the process that launched it does."""
    if os.environ.get(LAUNCHED) == "1":
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):  # nobody writes: it returns when the other end is closed
        pass
    os._exit(1)


def _wait(running: Sequence[subprocess.Popen[bytes]]) -> int:
    while any(process.poll() is None for process in running):
        failed = [p.returncode for p in running if p.returncode]
        if failed:
            deadline = time.monotonic() + _PATIENCE_S
            if not _is_agreed(failed):
                _pass_on(running, signal.SIGTERM)
            while any(p.poll() is None for p in running) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            for process in running:
                process.kill()
                process.wait()
            return _exit_code(failed[0])
        time.sleep(_POLL_S)
    return _exit_code(next((p.returncode for p in running if p.returncode), 0))


def _exit_code(returncode: int) -> int:
    """1 for a process that a signal has ended."""
    return returncode if returncode >= 0 else 1


def _is_agreed(codes: Sequence[int]) -> bool:
    """Whether the first ones to end did so because all stop after the same step."""
    return all(code == 130 for code in codes)


def _pass_on(running: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in running:
        if process.poll() is None:
            process.send_signal(number)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
