"""What a terminal shows, as a terminal reads it."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
import pytest
from rich.console import Console

from motet.cli.show import LivePanels, PlainLines, screen_for, summary
from motet.engine import Reply
from motet.protocol.row import Row
from tests.cli.models import own_layout

LAYOUT = own_layout()


class Terminal:
    """A terminal emulator that remembers what scrolled out of sight."""

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, data: bytes) -> None:
        self._stream.feed(data)

    @property
    def scrolled(self) -> list[str]:
        width = self.screen.columns
        return ["".join(row[x].data for x in range(width)) for row in self.screen.history.top]

    @property
    def lines(self) -> list[str]:
        """Everything there is to see, scrolling back included, without empty lines."""
        lines = [line.rstrip() for line in (*self.scrolled, *self.screen.display)]
        return [line for line in lines if line]


def in_terminal(
    arguments: list[object], env: dict[str, str], columns: int, lines: int = 24
) -> tuple[int, bytes]:
    """Exit code and bytes of a command in a pseudo-terminal of that size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "motet", *map(str, arguments)], env=env,
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    data = b""
    try:
        while chunk := os.read(ours, 65536):
            data += chunk
    except OSError:  # the other side has closed
        pass
    os.close(ours)
    return process.wait(300), data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "env"),
    [(80, {"TERM": "xterm-256color"}), (40, {"TERM": "xterm-256color", "NO_COLOR": "1"})],
    ids=["80 columns", "40 columns without colours"],
)
def test_panels_in_a_real_terminal(
    own: Path, process_env: dict[str, str], columns: int, env: dict[str, str]
) -> None:
    text = "how many apples does Tom have now, please?"
    code, data = in_terminal(["run", own, text, "--max-rows", 300], process_env | env, columns)
    assert code == 0
    assert b"loading" in data
    assert b"Traceback" not in data
    assert b"Warning" not in data
    terminal = Terminal(columns, 24)
    terminal.feed(data)
    seen = terminal.lines
    assert [line[:10] for line in seen if line.startswith("╭")] == [
        "╭─ User ──", "╭─ Output ", "╭─ Think ─",
    ]  # fmt: skip
    assert text.split()[0] in seen[1]
    assert "301 rows in" in "".join(seen[-3:])
    assert "loading" not in "".join(seen)
    has_colours = re.search(rb"\x1b\[(?:\d+;)*3[0-7](?:;\d+)*m", data) is not None
    assert has_colours == ("NO_COLOR" not in env)


@pytest.mark.slow
def test_a_dumb_terminal_gets_plain_lines(own: Path, process_env: dict[str, str]) -> None:
    env = process_env | {"TERM": "dumb"}
    code, data = in_terminal(["run", own, "hello world", "--max-rows", 60], env, columns=80)
    assert code == 0
    assert b"\x1b" not in data
    assert b"User: hello world\r\n" in data
    assert b"61 rows in " in data


def row(index: int, deltas: tuple[str, str, str], ids: tuple[int, int, int] = (9, 9, 9)) -> Row:
    silent = tuple(not delta for delta in deltas)
    return Row(index, ids, deltas, silent, (True, False, False))


def console(columns: int, lines: int, term: str = "xterm") -> Console:
    return Console(
        file=io.StringIO(), force_terminal=True, width=columns, height=lines, highlight=False,
        _environ={"TERM": term},
    )  # fmt: skip


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 24), (40, 10), (12, 5), (200, 60)])
def test_long_texts_leave_nothing_behind_but_the_whole_panels(columns: int, lines: int) -> None:
    """While rows come the panels fit the screen; afterwards every word is there, once."""
    screen_console = console(columns, lines)
    words = [f"w{i}" for i in range(300)]
    with LivePanels(screen_console, LAYOUT) as panels:
        for i, word in enumerate(words):
            panels.add(row(i, ("", word + " ", "t ")))
            if i % 25 == 0:
                panels._live.refresh()
    terminal = Terminal(columns, lines)
    terminal.feed(screen_console.file.getvalue().replace("\n", "\r\n").encode())
    seen = terminal.lines
    tops = [line for line in seen if line.startswith("╭")]
    assert [re.sub(r"[^\w]", "", top)[:4] for top in tops] == ["User", "Outp", "Thin"]
    text = re.sub(r"[│\s]+", " ", " ".join(seen))
    assert re.findall(r"\bw\d+\b", text) == words


def test_while_rows_come_the_ends_of_the_texts_are_seen() -> None:
    panels = LivePanels(console(40, 24), LAYOUT)
    for i in range(200):
        panels.add(row(i, ("", f"w{i} ", "")))
    shown = console(40, 24)
    shown.print(panels._growing())
    lines = shown.file.getvalue().splitlines()
    assert len(lines) < 24
    assert "w199" in " ".join(lines)
    assert "w10 " not in " ".join(lines)


def test_the_score_marks_given_spoken_and_silent_rows() -> None:
    shown = console(40, 24)
    panels = LivePanels(shown, LAYOUT)
    for deltas in [("a", "", ""), ("b", "x", ""), ("", "y", "")]:
        panels.add(row(0, deltas))
    shown.print(panels.render())
    assert re.findall(r"[▒█·]{3}", shown.file.getvalue()) == ["▒▒·", "·██", "···"]


def test_panels_steer_nothing_and_read_no_markup() -> None:
    shown = console(60, 24)
    with LivePanels(shown, LAYOUT) as panels:
        panels.add(row(0, ("[red]x[/red] :smile:", "\x1b]0;title\x07\x9b2J", "a\r\nb")))
    terminal = Terminal(60, 24)
    terminal.feed(shown.file.getvalue().replace("\n", "\r\n").encode())
    assert terminal.screen.title == ""
    seen = "\n".join(terminal.lines)
    assert "[red]x[/red] :smile:" in seen
    assert "\ufffd]0;title\ufffd\ufffd2J" in seen
    assert "│ a" in seen
    assert "│ b" in seen


def test_an_error_leaves_what_was_said_on_the_screen() -> None:
    shown = console(60, 24)

    def interrupted() -> None:
        with LivePanels(shown, LAYOUT) as panels:
            panels.add(row(0, ("", "so far", "")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    terminal = Terminal(60, 24)
    terminal.feed(shown.file.getvalue().replace("\n", "\r\n").encode())
    assert "so far" in "\n".join(terminal.lines)
    assert "\x1b[?25h" in shown.file.getvalue(), "the cursor is back"


def test_who_gets_panels() -> None:
    assert isinstance(screen_for(console(80, 24), LAYOUT), LivePanels)
    assert isinstance(screen_for(console(80, 24, term="dumb"), LAYOUT), PlainLines)
    assert isinstance(screen_for(Console(file=io.StringIO()), LAYOUT), PlainLines)


def test_plain_lines_come_as_they_are_finished() -> None:
    written: list[str] = []
    with PlainLines(LAYOUT, written.append) as screen:
        screen.add(row(0, ("  if x:", "a", "")))
        screen.add(row(1, ("\r", "b", "hm\x1b")))
        assert written == []
        screen.add(row(2, ("\n\n\t", "c\nd", "")))
        assert written == ["User:   if x:", "Output: abc"]
        screen.add(row(3, ("y ", "", ""), ids=(1, 0, 0)))  # the end token of the User
        assert written[2:] == ["User: \ty"]
    assert written[3:] == ["Output: d", "Think: hm\ufffd"]


def test_the_summary_names_the_output_channel() -> None:
    reply = Reply("m", 0, 12, {}, [], None, 0.5, "mute")
    assert summary(reply, LAYOUT).plain == (
        "12 rows in 0.50 s, 24 rows/s; Output never spoke; stopped by mute"
    )
