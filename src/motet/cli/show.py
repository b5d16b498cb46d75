"""Channels on a screen as rows come: panels in a terminal, plain lines when piped."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from motet.engine import Reply
from motet.protocol.row import Row
from motet.streams.layout import Layout, Role

_COLOURS = {Role.INPUT: "cyan", Role.OUTPUT: "green"}
_THOUGHT_COLOURS = ("magenta", "yellow", "blue", "red")
_REST, _SPOKEN, _GIVEN = "·", "█", "▒"


def printable(text: str) -> str:
    """`text` without characters that could steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def summary(reply: Reply) -> str:
    """The line after a turn: rows, seconds, rows/s, when Output first spoke, why it stopped."""
    spoke = "never spoke" if reply.ttft_rows is None else f"first spoke at row {reply.ttft_rows}"
    return (
        f"{reply.rows} rows in {reply.seconds:.2f} s, {reply.rows_per_s:.0f} rows/s; "
        f"Output {spoke}; stopped by {reply.stopped_by}"
    )


class PlainLines:
    """`Name: line` for every line that a channel finishes, in the order they are finished."""

    def __init__(self, console: Console, layout: Layout) -> None:
        self._console = console
        self._names = layout.names
        self._end_id = None if layout.end is None else layout.end.id
        self._unfinished = ["" for _ in layout.names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for channel, text in enumerate(self._unfinished):
            self._print(channel, text)

    def add(self, row: Row) -> None:
        """Take in the next row."""
        for channel, (delta, token_id) in enumerate(zip(row.deltas, row.token_ids, strict=True)):
            *lines, rest = (self._unfinished[channel] + delta).split("\n")
            if token_id == self._end_id:
                lines, rest = [*lines, rest], ""
            for line in lines:
                self._print(channel, line)
            self._unfinished[channel] = rest

    def _print(self, channel: int, line: str) -> None:
        if line.strip():
            self._console.print(
                f"{self._names[channel]}: {printable(line.strip())}", markup=False, soft_wrap=True
            )


class LivePanels:
    """One panel a channel, its text growing; below the text its part of the score.

    The score has a mark a row: spoken, given, or at rest.
    """

    def __init__(self, console: Console, layout: Layout) -> None:
        self._console = console
        self._layout = layout
        self._texts = ["" for _ in layout.names]
        self._scores = ["" for _ in layout.names]
        self._live = Live(console=console, refresh_per_second=15, vertical_overflow="visible")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.update(self.render(), refresh=True)
        self._live.stop()

    def add(self, row: Row) -> None:
        """Take in the next row."""
        for channel, delta in enumerate(row.deltas):
            self._texts[channel] += printable(delta)
            mark = _GIVEN if row.given[channel] else _SPOKEN
            self._scores[channel] += _REST if row.silent[channel] else mark
        self._live.update(self.render())

    def render(self) -> RenderableType:
        """All panels as they are now."""
        width = max(self._console.width - 4, 1)
        panels, thoughts = [], 0
        for channel, text, score in zip(
            self._layout.channels, self._texts, self._scores, strict=True
        ):
            colour = _COLOURS.get(channel.role)
            if colour is None:
                colour = _THOUGHT_COLOURS[thoughts % len(_THOUGHT_COLOURS)]
                thoughts += 1
            body = Group(Text(text.strip()), Text(score[-width:], style="dim"))
            panels.append(Panel(body, title=channel.name, title_align="left", border_style=colour))
        return Group(*panels)
