"""A user of an OpenAI endpoint, of this server or of any other: streamed answers over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import httpx

from motet.bench.serve.live import SLOW_S
from motet.bench.serve.load import Api, Load
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Kind, Request
from motet.errors import ServerError

__all__ = ["CompletionUser", "model_served"]


class CompletionUser:
    """Asks prompt after prompt; `ask` is one of them. client: shared, with the API key."""

    def __init__(
        self, client: httpx.AsyncClient, model: str, load: Load, kind: Kind, seed: int,
        prompts: Prompts,
    ) -> None:  # fmt: skip
        self._client, self._model, self._load, self._kind = client, model, load, kind
        self._dice = Random(seed)
        self._prompts = prompts

    async def ask(self, record: Callable[[Request], None]) -> None:
        """Send one prompt and read its answer to the end; `record` gets the request at once."""
        request = Request(self._kind, time.perf_counter())
        record(request)
        try:
            async with asyncio.timeout(self._load.timeout_s):
                await self._answer(request)
        except TimeoutError:
            request.fail("timeout")
        except httpx.HTTPError as error:
            request.fail(type(error).__name__, str(error))
        except ServerError as error:
            request.fail(str(error))
        request.ended_at = time.perf_counter()

    async def leave(self) -> None:
        """Nothing is kept between requests."""

    async def _answer(self, request: Request) -> None:
        path, body = self._body()
        killed_after = self._dice.randint(0, 6) if self._kind is Kind.KILLED else None
        async with self._client.stream("POST", path, json=body) as response:
            if response.status_code != 200:
                raise ServerError(f"HTTP {response.status_code}")
            num_chunks, is_done = 0, False
            async for chunk in _chunks(response):
                if num_chunks == killed_after:
                    return
                num_chunks += 1
                if chunk is None:
                    is_done = True
                    break
                self._take(chunk, request)
                if self._kind is Kind.SLOW:
                    await asyncio.sleep(SLOW_S)
            if not is_done:
                raise ServerError("broke off")

    def _body(self) -> tuple[str, dict[str, Any]]:
        prompt = self._prompts.draw()
        body: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": self._load.max_rows,
            "seed": self._dice.getrandbits(31),
        }
        if self._load.ignore_eos:
            body["ignore_eos"] = True
        if self._load.api is Api.CHAT:
            return "/v1/chat/completions", body | {
                "messages": [{"role": "user", "content": prompt}]
            }
        return "/v1/completions", body | {"prompt": prompt}

    def _take(self, chunk: dict[str, Any], request: Request) -> None:
        """Note what a chunk brought; tokens are counted as the server's usage says."""
        if "error" in chunk:
            raise ServerError("error in the stream")
        now = time.perf_counter()
        for choice in chunk.get("choices") or ():
            said = choice.get("delta") or choice
            if said.get("content") or said.get("text"):
                request.arrivals.append((now, 1))
            request.spoken.update(dict.fromkeys(said.get("channels") or (), 0))
        if usage := chunk.get("usage"):
            _count(usage, request)


def _count(usage: dict[str, Any], request: Request) -> None:
    """Tokens of the answer. channels: an extension; those beside content came by their names."""
    details = usage.get("completion_tokens_details") or {}
    num_thought = details.get("reasoning_tokens") or 0
    channels = details.get("channels") or {}
    for name in request.spoken:
        request.spoken[name] = channels.get(name, 0)
    num_beside = num_thought + sum(request.spoken.values())
    request.num_visible = max(0, usage["completion_tokens"] - num_beside)
    request.spoken |= {"content": request.num_visible, "reasoning": num_thought}


async def _chunks(response: httpx.Response) -> AsyncIterator[dict[str, Any] | None]:
    """Objects of a stream of server-sent events; None for its `[DONE]`."""
    async for line in response.aiter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            yield None
            return
        try:
            yield json.loads(data)
        except ValueError:
            raise ServerError("no JSON in the stream") from None


async def model_served(client: httpx.AsyncClient) -> str:
    """The first model that the server names; ServerError if it names none."""
    try:
        answer = await client.get("/v1/models")
        return str(answer.raise_for_status().json()["data"][0]["id"])
    except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ServerError(
            f"{client.base_url}v1/models", expected="the name of a model", got=error,
            fix="name it with --model-name",
        ) from None  # fmt: skip
