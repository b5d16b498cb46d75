"""One request as its user saw it: when it was asked, what came when, how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

__all__ = ["Kind", "Request"]


class Kind(StrEnum):
    """What sort of user asked."""

    STEADY = "steady"
    SLOW = "slow"
    KILLED = "killed"


@dataclass
class Request:
    """Times are seconds of one monotonic clock. Filled in while it runs.

    arrivals: when something came and how many tokens of the visible stream it brought, 0 too.
    num_visible: such tokens in all, where the server says it; else those that arrived. rows_at:
    when rows came, and how many. rows_before: of its session, from earlier requests. spoken:
    sampled tokens that are not silence, by channel.
    ended_at: None while it runs. failure: what kind of thing went wrong, None if nothing did;
    reason: what exactly, in one line.
    """

    kind: Kind
    asked_at: float
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    num_visible: int | None = None
    rows_at: list[tuple[float, int]] = field(default_factory=list)
    rows_before: int = 0
    spoken: Counter[str] = field(default_factory=Counter)
    ended_at: float | None = None
    failure: str | None = None
    reason: str = ""

    def fail(self, kind: str, reason: str = "") -> None:
        """It went wrong; what is said first counts."""
        if self.failure is None:
            self.failure, self.reason = kind, reason or kind

    @property
    def is_answered(self) -> bool:
        """Whether it ran to its end."""
        return self.ended_at is not None and self.failure is None

    @property
    def visible_at(self) -> list[tuple[float, int]]:
        """Arrivals that brought something visible."""
        return [(at, count) for at, count in self.arrivals if count]

    @property
    def ttft_s(self) -> float | None:
        """From the question to the first visible token; None if none came."""
        return self.visible_at[0][0] - self.asked_at if self.visible_at else None

    @property
    def gaps_s(self) -> list[float]:
        """Between one visible arrival and the next."""
        times = [at for at, _ in self.visible_at]
        return [later - earlier for earlier, later in pairwise(times)]

    @property
    def tpot_s(self) -> float | None:
        """Mean time of a visible token after the first arrival; None without any."""
        visible = self.visible_at
        if len(visible) < 2:
            return None
        total = sum(count for _, count in visible) if self.num_visible is None else self.num_visible
        count = total - visible[0][1]
        return (visible[-1][0] - visible[0][0]) / count if count > 0 else None

    @property
    def row_gaps(self) -> list[tuple[float, int]]:
        """Seconds a row, and for how many rows: each arrival of rows but the first."""
        steps = pairwise(self.rows_at)
        return [((at - before) / count, count) for (before, _), (at, count) in steps if count]
