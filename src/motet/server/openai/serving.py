"""What the three endpoints share: one model, its prompts, orders for replies, the way they run."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from motet import __version__
from motet.errors import ContextFullError, MotetError
from motet.server.errors import ApiError, refusal_of
from motet.server.openai.generation import Generation, Order
from motet.server.openai.knobs import NUM_SEEDS, Knobs, settings_of, stops_of
from motet.server.openai.prompt import Prompt, Prompter
from motet.server.openai.streaming import DONE, EventStream, event, gone, unless_gone
from motet.server.openai.voices import Voices
from motet.server.state import ServerState

__all__ = ["Service", "fresh_id"]

Events = Callable[[Generation], AsyncIterator[bytes]]
Whole = Callable[[Generation], Awaitable[dict[str, Any]]]


class Service:
    """One served model. created: when the server began, in Unix seconds."""

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self.engine = state.engine
        self.codec = state.engine.codec
        self.prompter = Prompter(state.engine)
        self.created = int(time.time())
        self.fingerprint = f"motet-{__version__}"
        most, can_hold = state.config.max_context_rows, state.engine.runtime.context_rows
        self.context_rows = can_hold if most is None else min(most, can_hold)

    @property
    def model(self) -> str:
        """The name under which the model is served."""
        return self.engine.name

    def check_model(self, name: str | None) -> None:
        """ApiError of status 404 if another model is asked for."""
        if name is not None and name != self.model:
            raise ApiError(
                404, f"the model {name[:200]!r} is not served here, only {self.model!r}",
                code="model_not_found", param="model",
            )  # fmt: skip

    async def make(self, prompt: Callable[[], Prompt]) -> Prompt:
        """The prompt that `prompt` makes, in a thread of its own: a long text takes its time."""
        return await asyncio.to_thread(prompt)

    def orders(
        self, prompt: Prompt, knobs: Knobs, *, count: int, seed: int | None,
        stop: str | list[str] | None, max_tokens: int | None, top_logprobs: int | None,
        presence_penalty: float | None, frequency_penalty: float | None, thinks: bool,
    ) -> list[Order]:  # fmt: skip
        """Orders for `count` replies to a prompt, with seeds one apart.

        Raises ContextFullError if the prompt leaves no room to answer.
        """
        room = self._room(prompt, knobs, max_tokens)
        settings = settings_of(
            self.engine, knobs, seed=seed, max_rows=len(prompt.ids) + room,
            top_logprobs=top_logprobs, presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty,
        )  # fmt: skip
        return [
            Order(
                prompt=prompt,
                settings=replace(settings, seed=(settings.seed + index) % NUM_SEEDS),
                context_rows=prompt.num_rows + room,
                voices=Voices(
                    self.codec,
                    stops=stops_of(stop),
                    max_tokens=max_tokens,
                    end_ids=frozenset() if knobs.ignore_eos else self.engine.chat.end_ids,
                    thinks=thinks and not self.prompter.is_multi_stream,
                    starts_in_thought=prompt.starts_in_thought,
                ),
            )
            for index in range(count)
        ]

    def _room(self, prompt: Prompt, knobs: Knobs, max_tokens: int | None) -> int:
        """Rows to reserve for the reply: as many as it can take, or as is usual here."""
        left = self.context_rows - prompt.num_rows
        if left < 1:
            raise ContextFullError(
                "prompt", expected=f"fewer than this model's {self.context_rows} rows",
                got=prompt.num_rows, fix="shorten it",
            )  # fmt: skip
        wanted = knobs.max_rows or self.state.config.context_rows
        if max_tokens is not None and not self.prompter.is_multi_stream:
            wanted = max_tokens  # there is no silence: a token is a row
        return min(left, wanted)

    async def answer(
        self, request: Request, orders: Sequence[Order], *, whole: Whole, events: Events | None
    ) -> Response:
        """Run the orders; the response is `whole`, or a stream if there are `events`."""
        generation = Generation(self.state.decoding, orders)
        if events is None:
            try:
                body = await unless_gone(request, _whole(generation, whole))
            finally:
                generation.cancel()
            return self._gone() if body is None else JSONResponse(body)
        try:
            begun = await unless_gone(request, _begun(generation))
        except BaseException:
            generation.cancel()
            raise
        if begun is None:
            generation.cancel()
            return self._gone()

        def on_end() -> None:
            if not generation.is_over:
                self.state.metrics.cancelled()
            generation.cancel()

        return EventStream(_guarded(events(generation)), on_end)

    def _gone(self) -> Response:
        self.state.metrics.cancelled()
        return gone()


def fresh_id(prefix: str) -> str:
    """An id that nobody else has."""
    return f"{prefix}{uuid.uuid4().hex}"


async def _begun(generation: Generation) -> bool:
    await generation.begin()
    return True


async def _whole(generation: Generation, whole: Whole) -> dict[str, Any]:
    await generation.begin()
    return await whole(generation)


async def _guarded(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events; what goes wrong on the way is one more event, since the status is sent."""
    try:
        async for data in events:
            yield data
    except MotetError as error:
        yield event(bytes(refusal_of(error).body).decode())
        yield DONE
