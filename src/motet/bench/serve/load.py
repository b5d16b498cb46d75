"""What users do to a server: how many there are, what they ask, for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from motet.errors import BenchError

__all__ = ["Api", "Load"]


class Api(StrEnum):
    """How users talk with the server."""

    LIVE = "live"
    CHAT = "chat"
    COMPLETIONS = "completions"


@dataclass(frozen=True)
class Load:
    """A closed loop: `num_users` at once, and every finished request is replaced at once.

    It ends after `num_requests` requests or `seconds`, whichever is given, counted from the end of
    the warm-up: as many finished requests as there are users. num_slow: of the users, how many read
    slowly; num_killed: how many break the line in the middle of an answer, every time. Requests of
    these two are not counted and not in the latencies. max_rows: rows (live) or tokens of one
    request. turns: messages of a live session before it is replaced by a new one. ignore_eos:
    answers of exactly max_rows tokens, from servers that know this extension. timeout_s: of one
    request.
    """

    api: Api = Api.LIVE
    num_users: int = 8
    num_requests: int | None = None
    seconds: float | None = None
    num_slow: int = 0
    num_killed: int = 0
    max_rows: int = 128
    turns: int = 4
    ignore_eos: bool = False
    timeout_s: float = 120.0
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.num_requests is None) == (self.seconds is None):
            raise BenchError("load", expected="a time or a number of requests", got="both or none")
        if self.num_slow + self.num_killed >= self.num_users:
            raise BenchError(
                "load", expected=f"fewer than {self.num_users} slow and killed users, some to "
                "measure", got=self.num_slow + self.num_killed,
            )  # fmt: skip
        if self.api is Api.LIVE and self.ignore_eos:
            raise BenchError("--ignore-eos", expected="chat or completions", got="live")
