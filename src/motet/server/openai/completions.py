"""`/v1/completions`: texts go on; a model of several channels answers them as messages."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from motet.server.errors import RESPONSES, ApiError
from motet.server.openai.chat_request import MAX_CHOICES
from motet.server.openai.chat_response import as_json
from motet.server.openai.completion_request import (
    DEFAULT_MAX_TOKENS,
    CompletionRequest,
    prompts_of,
)  # fmt: skip
from motet.server.openai.generation import Generation, Order
from motet.server.openai.logprobs import ShownToken
from motet.server.openai.prompt import Prompt, Prompter
from motet.server.openai.refusing import NamingRoute
from motet.server.openai.said import Said, listen_to_all
from motet.server.openai.serving import Service, fresh_id
from motet.server.openai.streaming import DONE, STREAMED, event
from motet.server.openai.usage import Usage, usage_of
from motet.server.openai.voices import End

__all__ = ["completions_router"]


class CompletionLogprobs(BaseModel):
    """Of the text's tokens; text_offset: where in the text each begins, in characters."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One text. reasoning_content, channels: what the other channels of the model said."""

    index: int
    text: str
    reasoning_content: str | None = None
    reasoning: str | None = None
    channels: dict[str, str] | None = None
    logprobs: CompletionLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None
    stopped_by: str | None = None


class Completion(BaseModel):
    """All texts of a request, or one event of its stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None = None


def completions_router(service: Service) -> APIRouter:
    """The route of completions."""
    router = APIRouter(route_class=NamingRoute, tags=["openai"])

    @router.post(
        "/v1/completions", response_model=Completion, responses={**STREAMED, **RESPONSES},
        summary="Continue a text",
    )  # fmt: skip
    async def complete(body: CompletionRequest, request: Request) -> Response:
        """Whole, or with `stream` as server-sent events."""
        service.check_model(body.model)
        texts = prompts_of(body)
        _check(body, len(texts))
        orders: list[Order] = []
        echoes: list[str] = []
        for text in texts:
            prompt = await service.make(partial(_prompt, service.prompter, text))
            made = service.orders(
                prompt, body, count=body.n or 1, seed=body.seed, stop=body.stop,
                max_tokens=body.max_tokens or DEFAULT_MAX_TOKENS, top_logprobs=body.logprobs,
                presence_penalty=body.presence_penalty, frequency_penalty=body.frequency_penalty,
                thinks=False,
            )  # fmt: skip
            orders += made
            echo = text if isinstance(text, str) else service.codec.decode(text)
            echoes += [echo if body.echo else ""] * len(made)
        teller = _Teller(service, echoes, has_logprobs=body.logprobs is not None)
        options = body.stream_options
        with_usage = bool(options and options.include_usage)

        def events(generation: Generation) -> AsyncIterator[bytes]:
            return teller.chunks(generation, with_usage=with_usage)

        return await service.answer(
            request, orders, whole=teller.whole, events=events if body.stream else None
        )

    return router


def _prompt(prompter: Prompter, text: str | list[int]) -> Prompt:
    return prompter.of_text(text) if isinstance(text, str) else prompter.of_ids(text)


def _check(body: CompletionRequest, num_prompts: int) -> None:
    """ApiError for fields that do not go together, or for too many texts."""
    if body.echo and body.logprobs is not None:
        raise ApiError(
            400, "echo: not together with logprobs", code="unsupported_parameter", param="echo"
        )
    if body.stream_options is not None and not body.stream:
        raise ApiError(
            400, "stream_options: only with stream = true", code="invalid_value",
            param="stream_options",
        )  # fmt: skip
    if num_prompts * (body.n or 1) > MAX_CHOICES:
        raise ApiError(
            400, f"n: at most {MAX_CHOICES} texts in one request", code="invalid_value", param="n"
        )


class _Teller:
    """Writes what replies say as one completion, or as the events of a stream."""

    def __init__(self, service: Service, echoes: list[str], *, has_logprobs: bool) -> None:
        self._codec = service.codec
        self._echoes = echoes
        self._has_logprobs = has_logprobs
        self._head: dict[str, Any] = {
            "id": fresh_id("cmpl-"), "object": "text_completion", "created": int(time.time()),
            "model": service.model, "system_fingerprint": service.fingerprint,
        }  # fmt: skip

    async def whole(self, generation: Generation) -> dict[str, Any]:
        """All texts."""
        replies = await listen_to_all(generation)
        choices = [
            self._choice(index, said, said.end, self._echoes[index])
            for index, said in enumerate(replies)
        ]
        return as_json(Completion(**self._head, choices=choices, usage=usage_of(generation.orders)))

    async def chunks(self, generation: Generation, *, with_usage: bool) -> AsyncIterator[bytes]:
        """The texts as they come, then the usage if it is wanted."""
        no_usage = {"usage": None} if with_usage else {}
        for index, echo in enumerate(self._echoes):
            if echo:
                choice = CompletionChoice(index=index, text=echo, finish_reason=None)
                yield self._event([choice], no_usage)
        async for index, piece in generation:
            said = Said()
            said.add(piece)
            yield self._event([self._choice(index, said, piece.end, "")], no_usage)
        if with_usage:
            yield self._event([], {"usage": usage_of(generation.orders)})
        yield DONE

    def _event(self, choices: list[CompletionChoice], usage: dict[str, Any]) -> bytes:
        chunk = Completion(**self._head, choices=choices, **usage)
        return event(chunk.model_dump_json(exclude_unset=True))

    def _choice(self, index: int, said: Said, end: End | None, echo: str) -> CompletionChoice:
        beside: dict[str, Any] = {}
        if said.reasoning:
            beside |= {"reasoning_content": said.reasoning, "reasoning": said.reasoning}
        if said.channels:
            beside["channels"] = said.channels
        if end is not None:
            beside["stopped_by"] = end.because
        return CompletionChoice(
            index=index, text=echo + said.content, logprobs=self._logprobs(said.tokens),
            finish_reason=None if end is None else end.reason, **beside,
        )  # fmt: skip

    def _logprobs(self, tokens: list[ShownToken]) -> CompletionLogprobs | None:
        if not self._has_logprobs:
            return None
        entries = [token.chat_json(self._codec) for token in tokens]
        return CompletionLogprobs(
            tokens=[entry["token"] for entry in entries],
            token_logprobs=[entry["logprob"] for entry in entries],
            top_logprobs=[
                {one["token"]: one["logprob"] for one in entry["top_logprobs"]} for entry in entries
            ],
            text_offset=[token.offset for token in tokens],
        )
