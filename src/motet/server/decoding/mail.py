"""What one session's reader has not been sent yet.

Rows gather in one update until something begins or ends; the update is due at the next tick of the
session's clock (so that many sessions are sent at the same ticks), or at once if it is urgent.
"""

from __future__ import annotations

from motet.server.decoding.messages import Reply, TurnEnd, Update

__all__ = ["Letter", "Mail"]

Letter = Update | Reply


class Mail:
    """Letters in order. every_s: seconds between ticks; times are of a monotonic clock."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._letters: list[Letter] = []
        self._open: Update | None = None
        self._is_urgent = False
        self._next_tick_s = 0.0

    @property
    def due_s(self) -> float | None:
        """When there is something to send; None: nothing waits."""
        if not self._letters:
            return None
        return 0.0 if self._is_urgent else self._next_tick_s

    def update(self) -> Update:
        """The update to add rows to: the last letter, or a new one."""
        if self._open is None:
            self._open = Update()
            self._letters.append(self._open)
        return self._open

    def begin_turn(self, turn: int) -> None:
        """A turn begins with the next row: that row belongs into a new update."""
        self.close_update()
        self.update().turn = turn

    def end_turn(self, end: TurnEnd) -> None:
        """A turn is over with the last row."""
        self.update().turn_end = end
        self.close_update()

    def close_update(self) -> None:
        """What comes next belongs into an update of its own; send what is there at once."""
        self._open = None
        self._is_urgent = True

    def answer(self, reply: Reply) -> None:
        """An order was done or refused."""
        self.close_update()
        self._letters.append(reply)

    def hurry(self) -> None:
        """Send what is there at once."""
        self._is_urgent = True

    def take(self, now: float, at_least_s: float = 0.0) -> list[Letter]:
        """Everything; the next tick is counted from now. at_least_s: between ticks, if longer."""
        letters, self._letters = self._letters, []
        self._open, self._is_urgent = None, False
        every_s = max(self.every_s, at_least_s)
        self._next_tick_s = (now // every_s + 1) * every_s
        return letters
