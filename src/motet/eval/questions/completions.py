"""Questions to any server that speaks OpenAI's chat completions: ours, or another.

What it does not tell, such as rows, stays unknown; what Motet's servers tell besides (reasoning,
further channels, why a reply stopped) is taken along. A server that is full or stumbles is asked
again, with growing delays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from motet.client import Patience
from motet.client.address import http_url, is_loopback
from motet.engine import StopReason
from motet.errors import InputError, ServerError
from motet.eval.questions.asking import Hear, Refused
from motet.eval.questions.crowd import ask_many
from motet.eval.questions.hearing import ReplyMark
from motet.eval.questions.trial import Ask, Said

__all__ = ["ChatServer", "first_model"]

TIMEOUT_S = 600.0
_LATER = (408, 409, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class ChatServer:
    """A server and what every request says besides messages and seed.

    knobs: fields of the request, such as `temperature` and `max_tokens`. patience: how long a
    server that is full or away is asked again.
    """

    url: str
    model: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    api_key: str | None = None
    mark: ReplyMark = field(default_factory=ReplyMark)
    patience: Patience = field(default_factory=Patience)

    def ask(
        self, asks: Iterable[Ask], hear: Hear, at_once: int, refused: Refused | None = None
    ) -> None:
        """Ask everything, `at_once` at a time; ServerError if the server refuses or stays away.

        refused: see `EngineAsker.ask`.
        """
        asyncio.run(self._ask_all(asks, hear, at_once, refused))

    async def _ask_all(
        self, asks: Iterable[Ask], hear: Hear, at_once: int, refused: Refused | None
    ) -> None:
        async with _client(self.url, self.api_key, at_once) as client:
            await ask_many(lambda ask: self._ask(client, ask), asks, hear, at_once, refused)

    async def _ask(self, client: httpx.AsyncClient, ask: Ask) -> Said:
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": ask.text}],
            "seed": ask.seed,
            **self.knobs,
        }
        return self._said(await self._posted(client, body, ask.question.where))

    async def _posted(self, client: httpx.AsyncClient, body: dict[str, Any], where: str) -> Any:
        """The answer to a request, which is sent again while that may help."""
        waited_s = 0.0
        for delay_s in self.patience.delays(Random()):
            try:
                answer = await client.post("/v1/chat/completions", json=body)
                failure = f"{answer.status_code} {_refusal(answer)}".rstrip()
                if answer.status_code == 200:
                    return _json(answer, self.url)
                if answer.status_code in (400, 413, 422):
                    raise InputError(f"{where}: refused by {self.url}", got=failure)
                if answer.status_code not in _LATER:
                    raise ServerError(self.url, expected="an answer", got=failure)
            except httpx.TransportError as error:
                failure = str(error) or type(error).__name__
            if self.patience.give_up_s is not None and waited_s >= self.patience.give_up_s:
                raise ServerError(self.url, expected="an answer", got=failure)
            await asyncio.sleep(delay_s)
            waited_s += delay_s
        raise AssertionError("delays never end")

    def _said(self, answer: Any) -> Said:
        try:
            choice = answer["choices"][0]
            message, finish = choice["message"], choice["finish_reason"]
            content = message.get("content") or ""
            thought = message.get("reasoning_content") or message.get("reasoning")
            channels = {"Output": content} | ({} if thought is None else {"Think": thought})
            channels |= message.get("channels") or {}
            if not all(isinstance(text, str) for text in channels.values()):
                raise TypeError("a content that is no text")
        except (LookupError, TypeError, AttributeError) as error:
            raise ServerError(
                self.url, expected="a chat completion", got=f"{type(error).__name__} {error}"
            ) from None
        ended = StopReason.END if finish == "stop" else finish
        start = self.mark.start(content)
        return Said(
            channels=channels,
            reply="" if start is None else content[start:],
            stopped_by=str(choice.get("stopped_by") or ended),
        )


def first_model(url: str, api_key: str | None) -> str:
    """The first model that a server names; InputError if it names none, ServerError without one."""
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    address = f"{http_url(url)}/v1/models"
    try:
        answer = httpx.get(address, headers=headers, trust_env=not is_loopback(url))
    except httpx.TransportError as error:
        raise ServerError(
            address, expected="a server", got=error, fix="is one running there?"
        ) from None
    if answer.status_code != 200:
        raise ServerError(address, got=f"{answer.status_code} {_refusal(answer)}".rstrip())
    try:
        return str(answer.json()["data"][0]["id"])
    except (ValueError, LookupError, TypeError):
        raise InputError(
            address, expected="the name of a model", got="none", fix="name it with --model-name"
        ) from None


def _client(url: str, api_key: str | None, at_once: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=http_url(url),
        headers={} if api_key is None else {"Authorization": f"Bearer {api_key}"},
        timeout=httpx.Timeout(TIMEOUT_S, connect=30.0),
        limits=httpx.Limits(max_connections=at_once),
        trust_env=not is_loopback(url),
    )


def _json(answer: httpx.Response, url: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise ServerError(url, expected="JSON", got=answer.text[:60]) from None


def _refusal(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:300]
    except (ValueError, LookupError, TypeError):
        return answer.reason_phrase
