"""Text that grows at its end, broken into lines as it comes.

Breaking is greedy, so more text can only change the last line: a piece of text costs its own
length, not that of the whole conversation. Widths are those of terminal cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from motet.protocol.printable import printable

__all__ = ["Flow", "Line", "Piece", "line_breaks"]

Piece = tuple[str, str]
"""A text and the name of its style."""
Line = list[Piece]

_WORD = re.compile(r"\S+\s*|\s+")
_TAB = "    "


def line_breaks(text: str, width: int) -> list[int]:
    """Where `text` is broken so that no line is wider than `width` cells.

    Spaces at the end of a line hang over it; a word that is wider than a line is cut.
    """
    breaks, used = [], 0
    for match in _WORD.finditer(text):
        word = match[0].rstrip()
        size = cell_len(word)
        if used and used + size > width:
            breaks.append(match.start())
            used = 0
        if size > width:
            for index, character in enumerate(word):
                cells = cell_len(character)
                if used and used + cells > width:
                    breaks.append(match.start() + index)
                    used = 0
                used += cells
        else:
            used += size
        used += len(match[0]) - len(word)
    return breaks


def _divided(pieces: Iterable[Piece], breaks: Sequence[int]) -> list[Line]:
    """The pieces cut at offsets of their joined text."""
    lines: list[Line] = [[]]
    offset, cuts = 0, iter([*breaks, -1])
    cut = next(cuts)
    for text, style in pieces:
        while cut >= 0 and offset + len(text) > cut:
            head, text = text[: cut - offset], text[cut - offset :]
            if head:
                lines[-1].append((head, style))
            lines.append([])
            offset, cut = cut, next(cuts)
        if text:
            lines[-1].append((text, style))
            offset += len(text)
    return lines


class Flow:
    """Lines of styled text at most `width` cells wide; all characters in it are safe to show."""

    def __init__(self, width: int) -> None:
        self.width = max(width, 1)
        self._done: list[Line] = []
        self._tail: Line = []  # the last line, with spaces that hang over
        self._is_after_rule = False

    def add(self, text: str, style: str) -> None:
        """Append `text`; a newline ends a line, but leaves no empty one below a rule."""
        if self._is_after_rule and text:
            self._is_after_rule = False
            text = text.removeprefix("\n")
        for index, part in enumerate(_safe(text).split("\n")):
            if index:
                self._done.append(self._tail)
                self._tail = []
            if part:
                *finished, self._tail = self._broken([*self._tail, (part, style)])
                self._done.extend(finished)

    def rule(self, label: str, style: str) -> None:
        """Append a line of its own, across the whole width, that begins with `label`."""
        if self._tail:
            self._done.append(self._tail)
        room = max(self.width - cell_len(label) - 1, 0)
        self._done.append([(f"{label} {'─' * room}"[: self.width], style)])
        self._tail = []
        self._is_after_rule = True

    @property
    def has_open_line(self) -> bool:
        """Whether the last line has text."""
        return bool(self._tail)

    def lines(self, after: Iterable[Piece] = ()) -> list[Line]:
        """All lines, the last ones as they are with `after` appended. Not to be changed."""
        lines = [self._tail]
        for text, style in after:
            for index, part in enumerate(_safe(text).split("\n")):
                if index:
                    lines.append([])
                lines[-1:] = self._broken([*lines[-1], (part, style)])
        return [*self._done, *lines]

    def _broken(self, pieces: Line) -> list[Line]:
        joined = "".join(text for text, _ in pieces)
        return _divided(pieces, line_breaks(joined, self.width))


def _safe(text: str) -> str:
    return printable(text).replace("\t", _TAB)
