"""`/v1/responses`: a conversation goes on, whole or as a stream of typed events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response

from motet.errors import MotetError
from motet.server.errors import RESPONSES, ApiError
from motet.server.openai.generation import Generation
from motet.server.openai.refusing import NamingRoute
from motet.server.openai.responses_events import ResponseEvents
from motet.server.openai.responses_request import ResponsesRequest, messages_of
from motet.server.openai.responses_response import (
    Frame,
    ResponseObject,
    message_item,
    reasoning_item,
    text_part,
)  # fmt: skip
from motet.server.openai.said import listen_to_all
from motet.server.openai.serving import Service, fresh_id
from motet.server.openai.streaming import STREAMED
from motet.server.openai.usage import usage_of

__all__ = ["responses_router"]


def responses_router(service: Service) -> APIRouter:
    """The route of responses."""
    router = APIRouter(route_class=NamingRoute, tags=["openai"])
    layout = service.codec.layout
    further = [layout.names[index] for index in layout.thought_indices[1:]]

    @router.post(
        "/v1/responses", response_model=ResponseObject, responses={**STREAMED, **RESPONSES},
        summary="Continue a conversation",
    )  # fmt: skip
    async def respond(body: ResponsesRequest, request: Request) -> Response:
        """Whole, or with `stream` as server-sent events."""
        service.check_model(body.model)
        has_logprobs = bool(body.include)
        if body.top_logprobs is not None and not has_logprobs:
            raise ApiError(
                400, "top_logprobs: only with include = [message.output_text.logprobs]",
                code="invalid_value", param="top_logprobs",
            )  # fmt: skip
        messages = messages_of(body)
        prompt = await service.make(
            lambda: service.prompter.of_messages(messages, body.chat_template_kwargs)
        )
        orders = service.orders(
            prompt, body, count=1, seed=body.seed, stop=body.stop,
            max_tokens=body.max_output_tokens,
            top_logprobs=body.top_logprobs or 0 if has_logprobs else None,
            presence_penalty=body.presence_penalty, frequency_penalty=body.frequency_penalty,
            thinks=True,
        )  # fmt: skip
        frame = Frame(service, body, orders[0].settings)

        async def whole(generation: Generation) -> dict[str, Any]:
            (said,) = await listen_to_all(generation)
            assert said.end is not None
            status = "completed" if said.end.reason == "stop" else "incomplete"
            logprobs = [token.chat_json(service.codec) for token in said.tokens]
            channels = {name: said.channels.get(name, "") for name in further} if further else None
            parts = [text_part(said.content, logprobs)]
            output = [message_item(fresh_id("msg_"), status, parts, channels)]
            if said.reasoning:
                output.insert(0, reasoning_item(fresh_id("rs_"), status, said.reasoning))
            return frame.ended(said, output, usage_of(generation.orders))

        def events(generation: Generation) -> AsyncIterator[bytes]:
            told = ResponseEvents(frame, service.codec, further, has_logprobs=has_logprobs)
            return _events(generation, told)

        return await service.answer(
            request, orders, whole=whole, events=events if body.stream else None
        )

    return router


async def _events(generation: Generation, told: ResponseEvents) -> AsyncIterator[bytes]:
    for data in told.begin():
        yield data
    try:
        async for _, piece in generation:
            for data in told.tell(piece):
                yield data
    except MotetError as error:
        yield told.fail(str(error))
        return
    for data in told.end(usage_of(generation.orders)):
        yield data
