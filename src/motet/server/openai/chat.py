"""`/v1/chat/completions`: a chat goes on, whole or as a stream of chunks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response

from motet.server.errors import RESPONSES, ApiError
from motet.server.openai.chat_request import ChatRequest
from motet.server.openai.chat_response import (
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatLogprobs,
    ChatMessage,
    ChunkChoice,
    TokenLogprob,
    as_json,
)  # fmt: skip
from motet.server.openai.generation import Generation
from motet.server.openai.logprobs import ShownToken
from motet.server.openai.messages import plain_messages
from motet.server.openai.refusing import NamingRoute
from motet.server.openai.said import Said, listen_to_all
from motet.server.openai.serving import Service, fresh_id
from motet.server.openai.streaming import DONE, STREAMED, event
from motet.server.openai.usage import usage_of
from motet.server.openai.voices import Piece

__all__ = ["chat_router"]


def chat_router(service: Service) -> APIRouter:
    """The route of chats."""
    router = APIRouter(route_class=NamingRoute, tags=["openai"])

    @router.post(
        "/v1/chat/completions", response_model=ChatCompletion, responses={**STREAMED, **RESPONSES},
        summary="Continue a chat",
    )  # fmt: skip
    async def chat(body: ChatRequest, request: Request) -> Response:
        """Whole, or with `stream` as server-sent events."""
        service.check_model(body.model)
        _check_pairs(body)
        messages = plain_messages(body.messages)
        prompt = await service.make(
            lambda: service.prompter.of_messages(messages, body.chat_template_kwargs)
        )
        wants = body.top_logprobs or 0 if body.logprobs else None
        orders = service.orders(
            prompt, body, count=body.n or 1, seed=body.seed, stop=body.stop,
            max_tokens=body.max_completion_tokens or body.max_tokens, top_logprobs=wants,
            presence_penalty=body.presence_penalty, frequency_penalty=body.frequency_penalty,
            thinks=True,
        )  # fmt: skip
        teller = _Teller(service, has_logprobs=bool(body.logprobs))
        options = body.stream_options
        with_usage = bool(options and options.include_usage)

        def events(generation: Generation) -> AsyncIterator[bytes]:
            return teller.chunks(generation, with_usage=with_usage)

        return await service.answer(
            request, orders, whole=teller.whole, events=events if body.stream else None
        )

    return router


def _check_pairs(body: ChatRequest) -> None:
    """ApiError for fields that say nothing without another, or contradict each other."""
    older, newer = body.max_tokens, body.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        raise _contradiction("max_tokens", "differs from max_completion_tokens; send one of them")
    if body.top_logprobs is not None and not body.logprobs:
        raise _contradiction("top_logprobs", "only with logprobs = true")
    if body.stream_options is not None and not body.stream:
        raise _contradiction("stream_options", "only with stream = true")


def _contradiction(param: str, why: str) -> ApiError:
    return ApiError(400, f"{param}: {why}", code="invalid_value", param=param)


class _Teller:
    """Writes what replies say as one chat completion, or as its chunks."""

    def __init__(self, service: Service, *, has_logprobs: bool) -> None:
        self._codec = service.codec
        self._has_logprobs = has_logprobs
        self._has_thoughts = bool(self._codec.layout.thought_indices)
        self._others = [
            self._codec.layout.names[index] for index in self._codec.layout.thought_indices[1:]
        ]
        self._head: dict[str, Any] = {
            "id": fresh_id("chatcmpl-"), "created": int(time.time()), "model": service.model,
            "system_fingerprint": service.fingerprint, "service_tier": "default",
        }  # fmt: skip

    async def whole(self, generation: Generation) -> dict[str, Any]:
        """All replies."""
        replies = await listen_to_all(generation)
        return as_json(
            ChatCompletion(
                **self._head, object="chat.completion",
                choices=[self._choice(index, said) for index, said in enumerate(replies)],
                usage=usage_of(generation.orders),
            )
        )  # fmt: skip

    async def chunks(self, generation: Generation, *, with_usage: bool) -> AsyncIterator[bytes]:
        """The replies as they come, then the usage if it is wanted."""
        no_usage = {"usage": None} if with_usage else {}
        for index in range(len(generation.orders)):
            first = ChunkChoice(
                index=index, delta=ChatDelta(role="assistant", content=""), finish_reason=None
            )
            yield self._event([first], no_usage)
        async for index, piece in generation:
            if delta := self._delta(piece):
                yield self._event(
                    [
                        ChunkChoice(
                            index=index, delta=delta, logprobs=self._logprobs(piece.tokens),
                            finish_reason=None,
                        )
                    ],
                    no_usage,
                )  # fmt: skip
            if piece.end is not None:
                last = ChunkChoice(
                    index=index, delta=ChatDelta(), logprobs=None,
                    finish_reason=piece.end.reason, stopped_by=piece.end.because,
                )  # fmt: skip
                yield self._event([last], no_usage)
        if with_usage:
            yield self._event([], {"usage": usage_of(generation.orders)})
        yield DONE

    def _event(self, choices: list[ChunkChoice], usage: dict[str, Any]) -> bytes:
        chunk = ChatChunk(**self._head, object="chat.completion.chunk", choices=choices, **usage)
        return event(chunk.model_dump_json(exclude_unset=True))

    def _delta(self, piece: Piece) -> ChatDelta | None:
        new: dict[str, Any] = {}
        if piece.content:
            new["content"] = piece.content
        if piece.reasoning:
            new |= {"reasoning_content": piece.reasoning, "reasoning": piece.reasoning}
        if piece.channels:
            new["channels"] = piece.channels
        return ChatDelta(**new) if new else None

    def _choice(self, index: int, said: Said) -> ChatChoice:
        assert said.end is not None
        message: dict[str, Any] = {"role": "assistant", "content": said.content, "refusal": None}
        if self._has_thoughts or said.reasoning:
            message |= {"reasoning_content": said.reasoning, "reasoning": said.reasoning}
        if self._others:
            message["channels"] = {name: said.channels.get(name, "") for name in self._others}
        return ChatChoice(
            index=index, message=ChatMessage(**message), logprobs=self._logprobs(said.tokens),
            finish_reason=said.end.reason, stopped_by=said.end.because,
        )  # fmt: skip

    def _logprobs(self, tokens: list[ShownToken]) -> ChatLogprobs | None:
        if not self._has_logprobs:
            return None
        entries = [TokenLogprob(**token.chat_json(self._codec)) for token in tokens]
        return ChatLogprobs(content=entries, refusal=None)
