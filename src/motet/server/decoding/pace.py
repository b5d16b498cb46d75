"""Pace: at most so many rows a second, evenly, and never a burst to catch up."""

from __future__ import annotations

from motet.errors import SettingError

MAX_PACE = 100_000.0


class Pace:
    """When the next row of one session may be decoded; times are seconds of a monotonic clock."""

    def __init__(self, rows_per_s: float) -> None:
        if not 0.0 <= rows_per_s <= MAX_PACE:
            raise SettingError("pace", expected=f"0 to {MAX_PACE:g} rows a second", got=rows_per_s)
        self.rows_per_s = rows_per_s
        self.due_at = 0.0

    def count(self, now: float) -> None:
        """A row was decoded now; one that came a little late does not delay the next."""
        if self.rows_per_s:
            period = 1.0 / self.rows_per_s
            self.due_at = max(self.due_at, now - period) + period
