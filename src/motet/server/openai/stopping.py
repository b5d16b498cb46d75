"""Stop strings: a text ends before the first of them, however it is cut into pieces.

What could be the beginning of a stop string is held back until it is clear that it is none, so
nothing of a stop string is ever emitted.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopStrings"]


class StopStrings:
    """Looks for stop strings in a text that comes in pieces.

    found: the stop string that ended the text. Of several that end at the same character the
    longest counts; else the one that is complete first.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.found: str | None = None

    def push(self, text: str) -> str:
        """What may be shown after `text` has come in; nothing more once a stop was found."""
        if self.found is not None:
            return ""
        self._held += text
        matches = [
            (place + len(stop), place, stop)
            for stop in self._stops
            if (place := self._held.find(stop)) >= 0
        ]
        if matches:
            _, place, self.found = min(matches)
            shown, self._held = self._held[:place], ""
            return shown
        num_held = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - num_held
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def flush(self) -> str:
        """What was held back, once the text is over."""
        shown, self._held = self._held, ""
        return shown


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` with which `stop` begins."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
