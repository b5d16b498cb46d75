"""`motet chat` in a real terminal: type, see the answer grow, interrupt, reopen, quit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PATIENCE_S = 60.0


class Terminal:
    """A tmux of its own with one window."""

    def __init__(self, folder: Path, command: str) -> None:
        self._socket = f"motet-{os.getpid()}-{time.monotonic_ns()}"
        size = ("COLUMNS", "LINES")  # they would hold for good, whatever becomes of the window
        environment = {key: value for key, value in os.environ.items() if key not in size}
        environment |= {"XDG_STATE_HOME": str(folder), "TERM": "xterm-256color"}
        subprocess.run(
            ["tmux", "-L", self._socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y",
             "24", f"{command}; echo ended with $?; sleep 1000"],
            check=True, env=environment,
        )  # fmt: skip

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def until_shown(self, *texts: str) -> str:
        end_s = time.monotonic() + PATIENCE_S
        while not all(text in self.screen() for text in texts):
            assert time.monotonic() < end_s, f"{texts} not in\n{self.screen()}"
            time.sleep(0.1)
        return self.screen()

    def until_gone(self, text: str) -> None:
        end_s = time.monotonic() + PATIENCE_S
        while text in self.screen():
            assert time.monotonic() < end_s, f"{text} still in\n{self.screen()}"
            time.sleep(0.5)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path, f"{sys.executable} -m motet chat --pace 12 --threads 1")
    yield one
    one.run("kill-server")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_a_conversation_in_a_real_terminal(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until_shown("say", "F1 help")
    terminal.press("What is 20+30?", "Enter")
    screen = terminal.until_shown("▸", "▶ turn 1", "reading")
    assert len(screen.splitlines()) == 24
    terminal.until_shown("○ at rest", "TTFT", "listens")
    terminal.press("And what is 5+6+7+8+9?", "Enter")
    terminal.until_shown("▶ turn 2")
    terminal.press("Escape")
    terminal.until_shown("○ at rest, interrupted")
    terminal.press("F1")
    terminal.until_shown("help", "end the turn now")
    terminal.press("Escape")
    terminal.until_gone("end the turn now")
    terminal.run("resize-window", "-x", "120", "-y", "40")
    screen = terminal.until_shown("silence −", "row ")
    assert len(screen.splitlines()) == 40
    terminal.press("C-o")
    terminal.until_shown("conversations", "What is 20+30?")
    terminal.press("Escape")
    terminal.press("C-q")
    terminal.until_shown("ended with 0")
    tokens = tmp_path / "motet" / "tokens.sqlite"
    assert tokens.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "motet" / "chat.log").read_text() == ""
