"""Places for sessions, and the line in front of them: first come, first served.

All of it lives in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from motet.errors import ServerFullError

OnWaiting = Callable[[int], None]


class _Waiter:
    def __init__(self) -> None:
        self.has_place = False
        self.moved = asyncio.Event()


class Line:
    """`num_places` places; at most `max_waiting` wait for one."""

    def __init__(self, num_places: int, max_waiting: int) -> None:
        self.num_places = num_places
        self.num_taken = 0
        self._max_waiting = max_waiting
        self._waiters: deque[_Waiter] = deque()

    @property
    def num_waiting(self) -> int:
        """Who waits."""
        return len(self._waiters)

    @property
    def is_full(self) -> bool:
        """Whether the next one would have to wait."""
        return self.num_taken >= self.num_places or bool(self._waiters)

    async def enter(self, *, waits: bool, on_waiting: OnWaiting | None = None) -> None:
        """Take a place, at once or, if it `waits`, when it is its turn; ServerFullError if not.

        on_waiting: told the position in line (1: the next), again whenever it changes.
        """
        if not self.is_full:
            self.num_taken += 1
            return
        if not waits or len(self._waiters) >= self._max_waiting:
            raise ServerFullError(self.num_waiting + 1)
        waiter = _Waiter()
        self._waiters.append(waiter)
        try:
            while not waiter.has_place:
                waiter.moved.clear()
                if on_waiting is not None:
                    on_waiting(self._waiters.index(waiter) + 1)
                await waiter.moved.wait()
        except BaseException:
            if waiter.has_place:
                self.leave()
            else:
                self._waiters.remove(waiter)
                self._move()
            raise

    def leave(self) -> None:
        """Give a place back: to the first in line, if there is one."""
        if self._waiters:
            first = self._waiters.popleft()
            first.has_place = True
            first.moved.set()
            self._move()
        else:
            self.num_taken -= 1

    def _move(self) -> None:
        for waiter in self._waiters:
            waiter.moved.set()
