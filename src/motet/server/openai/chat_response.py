"""What `/v1/chat/completions` answers: OpenAI's objects, with thoughts and channels beside them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from motet.server.openai.usage import Usage

__all__ = [
    "ChatChoice", "ChatChunk", "ChatCompletion", "ChatDelta", "ChatLogprobs", "ChatMessage",
    "ChunkChoice", "TokenLogprob", "TopLogprob",
]  # fmt: skip

Finish = Literal["stop", "length"]


class TopLogprob(BaseModel):
    """A token that was likely. bytes: its UTF-8, where it may hold half a character."""

    token: str
    bytes: list[int]
    logprob: float


class TokenLogprob(TopLogprob):
    """A token of the content, and the likeliest ones in its place."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Of the content's tokens."""

    content: list[TokenLogprob]
    refusal: None = None


class ChatDelta(BaseModel):
    """What is new of a message. channels: by name, those beside content and reasoning."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    channels: dict[str, str] | None = None


class ChatMessage(BaseModel):
    """What the model said. `reasoning_content` and `reasoning` are the same."""

    role: Literal["assistant"] = "assistant"
    content: str
    reasoning_content: str | None = None
    reasoning: str | None = None
    channels: dict[str, str] | None = None
    refusal: None = None


class ChatChoice(BaseModel):
    """One reply. stopped_by: in this server's words."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: Finish
    stopped_by: str


class ChunkChoice(BaseModel):
    """A part of one reply."""

    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: Finish | None = None
    stopped_by: str | None = None


class _Head(BaseModel):
    id: str
    created: int
    model: str
    system_fingerprint: str
    service_tier: Literal["default"] = "default"


class ChatCompletion(_Head):
    """All replies to a chat."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]
    usage: Usage


class ChatChunk(_Head):
    """One event of a stream; the last one has the usage, if it was asked for, and no choices."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChunkChoice]
    usage: Usage | None = None


def as_json(message: BaseModel) -> dict[str, Any]:
    """A message as it goes out: the fields that were set."""
    return message.model_dump(mode="json", exclude_unset=True)
