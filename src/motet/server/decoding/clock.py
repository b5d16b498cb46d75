"""How long a turn has taken: it counts while the turn goes on, and stands still while it rests."""

from __future__ import annotations


class TurnClock:
    """Counts from `taken_s` on, once it goes. now: seconds of the monotonic clock."""

    def __init__(self, taken_s: float = 0.0) -> None:
        self._taken_s = taken_s
        self._since_s: float | None = None

    def go_on(self, now: float) -> None:
        """Count from now on, if it does not do so already."""
        if self._since_s is None:
            self._since_s = now

    def stop(self, now: float) -> float:
        """Stand still; how much it has counted."""
        self._taken_s, self._since_s = self.seconds(now), None
        return self._taken_s

    def seconds(self, now: float) -> float:
        """How much it has counted by now."""
        return self._taken_s + (0.0 if self._since_s is None else now - self._since_s)

    def copy(self) -> TurnClock:
        """An independent one that goes on from here."""
        twin = TurnClock(self._taken_s)
        twin._since_s = self._since_s
        return twin
