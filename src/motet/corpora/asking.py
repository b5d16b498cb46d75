"""Chat messages to an answer: cached, within a budget, so many at once, patient with servers.

    cache? --> budget --> POST /chat/completions --> cache
                 ^              | busy, broken, gone for a moment
                 +-- waits <----+

What a server refuses for ever ends the work (a wrong key, no such model) or drops this one request
(too long for it), and never counts as an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Any, Self

import openai
from pydantic import BaseModel, Field, ValidationError

from motet.client.address import is_loopback
from motet.client.patience import Patience
from motet.corpora.budget import Budget
from motet.corpora.cache import Answer, AnswerCache
from motet.corpora.endpoint import Endpoint
from motet.errors import ServerError

__all__ = ["Answer", "Asker", "Message", "RefusedError", "Wish"]

Message = Mapping[str, str]
"""`role` and `content`."""

_LATER_STATUSES = (408, 409, 425, 429)
_THIS_REQUEST_STATUSES = (400, 413, 422)
_NEVER_CODES = ("insufficient_quota", "billing_hard_limit_reached")
_MESSAGE_TOKENS = 64  # more than any template writes around a message
_PATIENCE = Patience(first_s=0.5, most_s=30.0, give_up_s=300.0)


class RefusedError(ServerError):
    """The server does not take this request; it may take others."""


@dataclass(frozen=True)
class Wish:
    """How an answer is drawn. max_tokens: its length at most. What is None is not sent.

    nth: tells equal requests apart that are to have answers of their own; only the cache is told.
    """

    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    nth: int = 0

    def fields(self, endpoint: Endpoint) -> dict[str, Any]:
        """The fields of a request."""
        sent = {"temperature": self.temperature, "top_p": self.top_p, "seed": self.seed}
        given = {name: value for name, value in sent.items() if value is not None}
        return {endpoint.length_field: self.max_tokens} | given


class _Said(BaseModel, strict=True):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel, strict=True):
    message: _Said
    finish_reason: str | None = None


class _Usage(BaseModel, strict=True):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Completion(BaseModel, strict=True):
    """What is looked at of a chat completion."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class _NotNowError(Exception):
    """Worth another try, after `wait_s` if the server said so."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class Asker:
    """Asks one model; any number of tasks may call `ask`, and `concurrency` of them run.

    cache: None asks every time. patience: how long a server may be away or busy.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        cache: AnswerCache | None = None,
        budget: Budget | None = None,
        concurrency: int = 8,
        patience: Patience = _PATIENCE,
    ) -> None:
        self.endpoint = endpoint
        self.budget = Budget() if budget is None else budget
        self._cache = cache
        self._places = asyncio.Semaphore(concurrency)
        self._patience = patience
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=endpoint.api_key or "none", max_retries=0,
            timeout=endpoint.timeout_s, http_client=_http_client(endpoint),
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.close()

    async def ask(self, messages: Sequence[Message], wish: Wish) -> Answer:
        """The answer to `messages`.

        Raises BudgetSpentError; RefusedError if the server will not take this request; ServerError
        if it takes none, or stays away for longer than patience allows.
        """
        body = {
            "model": self.endpoint.model,
            "messages": [dict(message) for message in messages],
            **wish.fields(self.endpoint),
        }
        request = {"url": self.endpoint.url, "body": body, "nth": wish.nth}
        if self._cache is not None and (kept := self._cache.get(request)) is not None:
            return kept
        most_tokens = wish.max_tokens + sum(
            len(part.encode()) + _MESSAGE_TOKENS for m in messages for part in m.values()
        )
        async with self._places:
            answer = await self._patiently(body, most_tokens)
        if self._cache is not None:
            self._cache.put(request, answer)
        return answer

    async def _patiently(self, body: dict[str, Any], most_tokens: int) -> Answer:
        give_up_s, began_s = self._patience.give_up_s, time.monotonic()
        for num_tries, delay_s in enumerate(self._patience.delays(Random()), start=1):
            try:
                async with self.budget.reserve(most_tokens):
                    answer = await self._once(body)
                    self.budget.pay(answer.prompt_tokens, answer.answer_tokens)
                    return replace(answer, num_requests=num_tries)
            except _NotNowError as later:
                wait_s = max(delay_s, later.wait_s or 0.0)
                waited_s = time.monotonic() - began_s
                if give_up_s is not None and waited_s + wait_s > give_up_s:
                    raise ServerError(
                        self.endpoint.url, expected="an answer", got=str(later),
                        fix=f"tried for {waited_s:.0f} s; what was answered is kept",
                    ) from None  # fmt: skip
            await asyncio.sleep(wait_s)
        raise AssertionError("delays never end")

    async def _once(self, body: dict[str, Any]) -> Answer:
        try:
            raw = await self._client.chat.completions.with_raw_response.create(**body)
        except openai.APIStatusError as error:
            raise self._meaning(error) from None
        except openai.APIConnectionError as error:
            raise _NotNowError(str(error.__cause__ or error) or type(error).__name__) from None
        try:
            completion = _Completion.model_validate_json(raw.content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise _NotNowError(f"no chat completion ({where}: {first['msg']})") from None
        choice, usage = completion.choices[0], completion.usage
        return Answer(
            text=choice.message.content or "",
            finish="refusal" if choice.message.refusal else choice.finish_reason or "",
            prompt_tokens=None if usage is None else usage.prompt_tokens,
            answer_tokens=None if usage is None else usage.completion_tokens,
        )

    def _meaning(self, error: openai.APIStatusError) -> Exception:
        said = f"{error.status_code} {error.message}"
        if error.status_code == 429 and error.code in _NEVER_CODES:
            return ServerError(self.endpoint.url, got=said)
        if error.status_code in _LATER_STATUSES or error.status_code >= 500:
            return _NotNowError(said, _retry_after_s(error))
        if error.status_code in _THIS_REQUEST_STATUSES:
            return RefusedError(self.endpoint.url, got=said)
        fix = "give the key that it knows" if error.status_code in (401, 403) else None
        return ServerError(self.endpoint.url, got=said, fix=fix)


def _retry_after_s(error: openai.APIStatusError) -> float | None:
    """Seconds that the server asks to wait; a date is left to our own delays."""
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _http_client(endpoint: Endpoint) -> Any:
    """A connection pool that asks no proxy for a server on this machine."""
    return openai.DefaultAsyncHttpxClient(trust_env=not is_loopback(endpoint.url))
