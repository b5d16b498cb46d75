"""One stream of text with its thoughts in front, split in two as it comes.

    <think>First 2, then 3.</think>\\n\\nIt is 5.
           |- reasoning --|              |- content

Only a block that opens the reply counts; a later `<think>` is text like any other. Blanks around
the tags belong to neither side.
"""

from __future__ import annotations

from enum import Enum, auto

from motet.engine.marked import CLOSE, OPEN

__all__ = ["ThinkSplitter"]


class _Place(Enum):
    BEFORE = auto()
    THOUGHT = auto()
    BETWEEN = auto()
    CONTENT = auto()


class ThinkSplitter:
    """Splits a text that comes in pieces.

    content_from: where in the whole text the content begins, in characters; None until known.
    """

    def __init__(self, *, starts_in_thought: bool) -> None:
        self._place = _Place.BETWEEN if starts_in_thought else _Place.BEFORE
        self._thinks = starts_in_thought
        self._held = ""
        self._num_read = 0
        self.content_from: int | None = None

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next belongs to the thoughts."""
        return self._thinks

    def push(self, text: str) -> tuple[str, str]:
        """The reasoning and the content that may be shown after `text` has come in."""
        self._held += text
        self._num_read += len(text)
        reasoning = ""
        before = None
        while before is not self._place:  # at most once around, each step leads further
            before = self._place
            if before is _Place.BEFORE:
                self._look_for_open()
            elif before is _Place.BETWEEN:
                self._skip_blanks()
            elif before is _Place.THOUGHT:
                reasoning += self._think()
        return reasoning, self._take() if self._place is _Place.CONTENT else ""

    def flush(self) -> tuple[str, str]:
        """What was held back, once the text is over."""
        if self._place is _Place.BEFORE:
            self._place, self.content_from = _Place.CONTENT, 0
        rest = self._take()
        return (rest, "") if self._place is _Place.THOUGHT else ("", rest)

    def _look_for_open(self) -> None:
        text = self._held.lstrip()
        if text.startswith(OPEN):
            self._held = text[len(OPEN) :]
            self._place, self._thinks = _Place.BETWEEN, True
        elif not OPEN.startswith(text):
            self._place, self.content_from = _Place.CONTENT, 0

    def _skip_blanks(self) -> None:
        """Behind a tag: what comes after the blanks is a thought, or after it the content."""
        self._held = self._held.lstrip()
        if not self._held:
            return
        if self._thinks:
            self._place = _Place.THOUGHT
        else:
            self._place = _Place.CONTENT
            self.content_from = self._num_read - len(self._held)

    def _think(self) -> str:
        thought, tag, rest = self._held.partition(CLOSE)
        if tag:
            self._held, self._thinks, self._place = rest, False, _Place.BETWEEN
            return thought.rstrip()
        end = len(self._held)
        for length in range(min(end, len(CLOSE) - 1), 0, -1):
            if self._held.endswith(CLOSE[:length]):
                end -= length
                break
        shown = self._held[:end].rstrip()
        self._held = self._held[len(shown) :]
        return shown

    def _take(self) -> str:
        text, self._held = self._held, ""
        return text
