"""How far a file of messages is, on stderr: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0

Advance = Callable[[], None]


@contextmanager
def progress(console: Console, total: int, num_done: int) -> Iterator[Advance]:
    """Follow work on `total` items of which `num_done` are there; call what it yields per item."""
    if console.is_terminal and not console.is_dumb_terminal:
        columns = [TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("decoding", total=total, completed=num_done)
            yield lambda: bar.advance(task)
        return
    lines = ProgressLines(console.file, total, num_done)
    try:
        yield lines.advance
    finally:
        lines.finish()


class ProgressLines:
    """`decoded 12 of 500, 3.4/s, 144 s left` at most every 10 seconds, and a line at the end."""

    def __init__(
        self,
        stream: IO[str],
        total: int,
        num_done: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._total = total
        self._num_before = self._num_done = num_done
        self._clock = clock
        self._start = self._last_line = clock()
        if num_done:
            self._print(f"{num_done} of {total} are there already")

    def advance(self) -> None:
        """One more is done."""
        self._num_done += 1
        now = self._clock()
        if now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            rate = (self._num_done - self._num_before) / (now - self._start)
            left_s = max(self._total - self._num_done, 0) / rate
            self._print(
                f"decoded {self._num_done} of {self._total}, {rate:.2g}/s, {left_s:.0f} s left"
            )

    def finish(self) -> None:
        """Say where it ended."""
        seconds = self._clock() - self._start
        self._print(f"decoded {self._num_done} of {self._total} in {seconds:.1f} s")

    def _print(self, text: str) -> None:
        self._stream.write(f"motet: {text}\n")
        self._stream.flush()
