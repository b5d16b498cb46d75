"""What may be spent on asking, and what was.

A request begins only if it fits even should its answer be as long as it may be: what the running
ones may still cost is reserved. So a budget is never exceeded, whatever the concurrency.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from motet.errors import MotetError, ServerError, SettingError

__all__ = ["Budget", "BudgetSpentError", "Spending"]


class BudgetSpentError(MotetError):
    """Another request would go over the budget."""


@dataclass(frozen=True)
class Spending:
    """Requests that were sent, tries again included, and tokens as the server counted them."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.answer_tokens + other.answer_tokens,
        )

    @property
    def tokens(self) -> int:
        """Of prompts and answers together."""
        return self.prompt_tokens + self.answer_tokens

    def to_json(self) -> dict[str, int]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Spending:
        """What `to_json` made, among other facts or not."""
        return cls(facts["requests"], facts["prompt_tokens"], facts["answer_tokens"])


class Budget:
    """max_requests, max_tokens: None is no limit. spent: what earlier runs have used up of it."""

    def __init__(
        self,
        max_requests: int | None = None,
        max_tokens: int | None = None,
        spent: Spending | None = None,
    ) -> None:
        for name, most in (("max_requests", max_requests), ("max_tokens", max_tokens)):
            if most is not None and most < 0:
                raise SettingError(name, expected="0 or more", got=most)
        self.spent = Spending() if spent is None else spent
        self._max_requests = max_requests
        self._max_tokens = max_tokens
        self._reserved_tokens = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, most_tokens: int) -> AsyncIterator[None]:
        """Room for one request that costs `most_tokens` at most; waits while others hold it.

        The request counts from the beginning, whatever comes of it. BudgetSpentError if there is
        no room and nobody will give any back.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._is_decided(most_tokens))
            if not self._has_room(most_tokens):
                raise self.error()
            self.spent += Spending(requests=1)
            self._reserved_tokens += most_tokens
        try:
            yield
        finally:
            async with self._changed:
                self._reserved_tokens -= most_tokens
                self._changed.notify_all()

    def pay(self, prompt_tokens: int | None, answer_tokens: int | None) -> None:
        """Count what an answer cost; ServerError if that is limited and the server did not say."""
        if prompt_tokens is None or answer_tokens is None:
            if self._max_tokens is not None:
                raise ServerError(
                    "answer", expected="usage, to keep to a budget of tokens", got="none",
                    fix="limit requests instead",
                )  # fmt: skip
            return
        self.spent += Spending(0, prompt_tokens, answer_tokens)

    def error(self) -> BudgetSpentError:
        """What to say when it does not suffice."""
        return BudgetSpentError(
            "budget", expected="room for one more request",
            got=f"{self.spent.requests} requests and {self.spent.tokens} tokens spent",
            fix="raise it and start again: nothing that was paid for is asked again",
        )  # fmt: skip

    def _is_decided(self, most_tokens: int) -> bool:
        is_hopeless = not self._has_requests or self._reserved_tokens == 0
        return is_hopeless or self._has_room(most_tokens)

    @property
    def _has_requests(self) -> bool:
        return self._max_requests is None or self.spent.requests < self._max_requests

    def _has_room(self, most_tokens: int) -> bool:
        used = self.spent.tokens + self._reserved_tokens + most_tokens
        return self._has_requests and (self._max_tokens is None or used <= self._max_tokens)
