"""Channels on a screen as rows come: panels in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from motet.engine import Reply
from motet.protocol.printable import printable
from motet.protocol.row import Row
from motet.streams.layout import Layout, Role

_COLOURS = {Role.INPUT: "cyan", Role.OUTPUT: "green"}
_THOUGHT_COLOURS = ("magenta", "yellow", "blue", "red")
_REST, _SPOKEN, _GIVEN = "·", "█", "▒"
_FRAME_LINES = 3  # a panel's borders and its score


class Screen(Protocol):
    """Something that rows are shown on, from `with` to the end of it."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show what is left, also after an error."""
        ...

    def add(self, row: Row) -> None:
        """Take in the next row."""
        ...


def screen_for(console: Console, layout: Layout) -> Screen:
    """Panels where a terminal can redraw them, plain lines elsewhere."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LivePanels(console, layout)
    return PlainLines(layout, _write)


def summary(reply: Reply, layout: Layout) -> Text:
    """The line after a turn: rows, seconds, rows/s, when Output first spoke, why it stopped."""
    spoke = "never spoke" if reply.ttft_rows is None else f"first spoke at row {reply.ttft_rows}"
    return Text(
        f"{reply.rows} rows in {reply.seconds:.2f} s, {reply.rows_per_s:.0f} rows/s; "
        f"{layout.names[layout.output_index]} {spoke}; stopped by {reply.stopped_by}"
    )


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Nothing:
    """A screen that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left to show."""

    def add(self, row: Row) -> None:
        """Forget the row."""


class PlainLines:
    """`Name: line` for every line that a channel finishes, in the order they are finished.

    Lines keep their spacing; blank ones are left out. `write` gets one line at a time.
    """

    def __init__(self, layout: Layout, write: Callable[[str], None]) -> None:
        self._write = write
        self._names = layout.names
        self._end_id = None if layout.end is None else layout.end.id
        self._unfinished = ["" for _ in layout.names]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for channel in range(len(self._names)):
            self._finish_line(channel)

    def add(self, row: Row) -> None:
        """Take in the next row."""
        for channel, (delta, token_id) in enumerate(zip(row.deltas, row.token_ids, strict=True)):
            first, *others = delta.split("\n")
            self._unfinished[channel] += first
            for line in others:
                self._finish_line(channel)
                self._unfinished[channel] = line
            if token_id == self._end_id:
                self._finish_line(channel)

    def _finish_line(self, channel: int) -> None:
        line = printable(self._unfinished[channel].rstrip())
        self._unfinished[channel] = ""
        if line:
            self._write(f"{self._names[channel]}: {line}")


class LivePanels:
    """One panel a channel, its text growing; below the text its part of the score.

    The score has a mark a row: spoken, given, or at rest. While rows come the panels share the
    height of the terminal and show the ends of their texts; at last they are printed whole.
    """

    def __init__(self, console: Console, layout: Layout) -> None:
        self._console = console
        self._layout = layout
        self._texts = ["" for _ in layout.names]
        self._scores = ["" for _ in layout.names]
        self._has_ended = False
        self._live = Live(
            console=console,
            get_renderable=self._growing,
            refresh_per_second=12,
            transient=True,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended = True
        self._live.stop()
        self._console.print(self.render())

    def add(self, row: Row) -> None:
        """Take in the next row."""
        for channel, delta in enumerate(row.deltas):
            self._texts[channel] += delta
            mark = _GIVEN if row.given[channel] else _SPOKEN
            self._scores[channel] += _REST if row.silent[channel] else mark

    def render(self, max_lines: int | None = None) -> RenderableType:
        """All panels as they are now, each with the last `max_lines` lines of its text."""
        width = max(self._console.width - 4, 1)
        panels, thoughts = [], 0
        for channel, text, score in zip(
            self._layout.channels, self._texts, self._scores, strict=True
        ):
            colour = _COLOURS.get(channel.role)
            if colour is None:
                colour = _THOUGHT_COLOURS[thoughts % len(_THOUGHT_COLOURS)]
                thoughts += 1
            body = Text(printable(text).strip("\n").rstrip())
            if max_lines is not None:
                body = Text("\n").join(body.wrap(self._console, width)[-max_lines:])
            panels.append(
                Panel(
                    Group(body, Text(score[-width:], style="dim")),
                    title=Text(channel.name),
                    title_align="left",
                    border_style=colour,
                )
            )
        return Group(*panels)

    def _growing(self) -> RenderableType:
        if self._has_ended:  # rich no longer crops the last picture, and could not erase it all
            return Text()
        room = (self._console.height - 1) // len(self._texts)
        return self.render(max_lines=max(room - _FRAME_LINES, 1))
