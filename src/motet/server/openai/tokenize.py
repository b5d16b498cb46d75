"""`/tokenize` and `/detokenize`: text to tokens of the served model, and back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from motet.server.errors import RESPONSES, ApiError
from motet.server.openai.fields import RequestFields
from motet.server.openai.messages import AnyMessage, plain_messages
from motet.server.openai.refusing import NamingRoute
from motet.server.openai.serving import Service

__all__ = ["tokenize_router"]


class TokenizeRequest(RequestFields):
    """A text, or for a one-channel model a chat, as its template writes it.

    add_special_tokens: put what opens every text of the model in front of `prompt`.
    """

    model: str | None = None
    prompt: str | None = None
    messages: Annotated[list[AnyMessage], Field(min_length=1, max_length=10_000)] | None = None
    add_special_tokens: bool = False
    add_generation_prompt: bool = True
    return_token_strs: bool = False


class Tokenized(BaseModel):
    """Token ids in order. token_strs: the text of each, where it was asked for."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeRequest(RequestFields):
    """Token ids, control tokens among them or not."""

    model: str | None = None
    tokens: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(max_length=1_000_000)]


class Detokenized(BaseModel):
    """Their text."""

    prompt: str


def tokenize_router(service: Service) -> APIRouter:
    """The routes for tokens."""
    router = APIRouter(route_class=NamingRoute, tags=["tokens"])

    def ids_of(body: TokenizeRequest) -> list[int]:
        if body.messages is not None:
            messages = plain_messages(body.messages)
            return service.prompter.ids_of_messages(
                messages, add_generation_prompt=body.add_generation_prompt
            )
        opening: list[int] = []
        if body.add_special_tokens:
            opening = service.prompter.opening_ids
        return opening + service.codec.encode(body.prompt or "")

    @router.post("/tokenize", responses=RESPONSES, summary="Text to tokens")
    def tokenize(body: TokenizeRequest) -> Tokenized:
        """Special tokens count in what a chat template writes, never in a text."""
        service.check_model(body.model)
        if (body.prompt is None) == (body.messages is None):
            raise ApiError(
                400, "prompt: send either prompt or messages", code="invalid_value", param="prompt"
            )
        if body.messages is not None and body.add_special_tokens:
            raise ApiError(
                400, "add_special_tokens: only with prompt; a chat template writes its own",
                code="invalid_value", param="add_special_tokens",
            )  # fmt: skip
        ids = ids_of(body)
        found = Tokenized(count=len(ids), max_model_len=service.context_rows, tokens=ids)
        if body.return_token_strs:
            found.token_strs = [service.codec.decode([token_id]) for token_id in ids]
        return found

    @router.post("/detokenize", responses=RESPONSES, summary="Tokens to text")
    def detokenize(body: DetokenizeRequest) -> Detokenized:
        """What the tokens stand for."""
        service.check_model(body.model)
        return Detokenized(prompt=service.codec.decode(body.tokens))

    return router
