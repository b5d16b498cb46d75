"""What one step of the decode thread was like, for metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Observer", "StepReport"]


@dataclass
class StepReport:
    """One batched row step; made and read in the decode thread.

    at_s: when it ended, by time.monotonic(). seconds: how long it took. num_sessions: its batch.
    num_rows: rows that it added, given ones too. num_prefill_rows: those of them that were read in
    blocks of several rows of one session. spoken: per channel of the layout, tokens that
    the model itself said. ttft_s: of sessions whose Output spoke first in this step, seconds since
    the message began. itl_s: of those where it spoke again, seconds since it last did.
    """

    at_s: float
    seconds: float
    num_sessions: int
    spoken: list[int]
    num_rows: int = 0
    num_prefill_rows: int = 0
    ttft_s: list[float] = field(default_factory=list)
    itl_s: list[float] = field(default_factory=list)


Observer = Callable[[StepReport], None]
