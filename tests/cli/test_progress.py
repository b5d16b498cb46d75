"""Progress where stderr is no terminal, and where it is one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from motet.cli.progress import ProgressLines, progress


def test_lines_come_every_ten_seconds_and_at_the_end() -> None:
    now = 0.0
    out = io.StringIO()
    lines = ProgressLines(out, total=100, num_done=20, clock=lambda: now)
    for _ in range(50):
        now += 0.5
        lines.advance()
    lines.finish()
    assert out.getvalue().splitlines() == [
        "motet: 20 of 100 are there already",
        "motet: decoded 40 of 100, 2/s, 30 s left",
        "motet: decoded 60 of 100, 2/s, 20 s left",
        "motet: decoded 70 of 100 in 25.0 s",
    ]


def test_a_failure_still_says_how_far_it_came() -> None:
    console = Console(file=io.StringIO())

    def fail() -> None:
        with progress(console, total=3, num_done=0) as advance:
            advance()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert console.file.getvalue().startswith("motet: decoded 1 of 3 in ")


def test_a_terminal_gets_a_bar_and_a_dumb_one_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(term: str) -> str:
        monkeypatch.setenv("TERM", term)
        console = Console(file=io.StringIO(), force_terminal=True, width=80)
        with progress(console, total=3, num_done=1) as advance:
            advance()
        return console.file.getvalue()

    assert "2/3" in shown("xterm")
    assert "━" in shown("xterm")
    assert "\x1b" not in shown("dumb")
    assert "motet: decoded 2 of 3 in " in shown("dumb")
