"""The request of `/v1/completions`: every field of OpenAI's, and this server's own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from motet.server.openai.chat_request import MAX_CHOICES, StreamOptions
from motet.server.openai.fields import Note, Refused
from motet.server.openai.knobs import MAX_TOP_LOGPROBS, Knobs, Stop

__all__ = ["DEFAULT_MAX_TOKENS", "CompletionRequest", "StreamOptions", "prompts_of"]

DEFAULT_MAX_TOKENS = 16

_Tokens = Annotated[list[int], Field(min_length=1)]
_Prompt = (
    str
    | _Tokens
    | Annotated[list[str], Field(min_length=1, max_length=MAX_CHOICES)]
    | Annotated[list[_Tokens], Field(min_length=1, max_length=MAX_CHOICES)]
)


class CompletionRequest(Knobs):
    """A text to go on with; with several channels: a message to answer."""

    model: str
    prompt: Annotated[
        _Prompt, Note("text, tokens, or a list of either. Special tokens only as tokens")
    ]
    stream: bool | None = None
    stream_options: Annotated[StreamOptions | None, Note("as in a chat")] = None
    n: Annotated[int | None, Field(ge=1, le=MAX_CHOICES), Note("for each prompt")] = None
    max_tokens: Annotated[
        int | None, Field(ge=1), Note(f"default: {DEFAULT_MAX_TOKENS}, as OpenAI's")
    ] = None
    stop: Annotated[Stop | None, Note("as in a chat")] = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63), Note("as in a chat")] = None
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    logprobs: Annotated[
        int | None, Field(ge=0, le=MAX_TOP_LOGPROBS), Note("so many of the likeliest tokens, too")
    ] = None
    echo: Annotated[bool | None, Note("the prompt in front; not with `logprobs`")] = None

    best_of: Annotated[Any, Refused(1)] = None
    logit_bias: Annotated[Any, Refused({})] = None
    suffix: Annotated[Any, Refused()] = None
    user: Annotated[Any, Refused(because="nobody is told apart here")] = None


def prompts_of(request: CompletionRequest) -> list[str | list[int]]:
    """The prompts of a request, one or several."""
    prompt = request.prompt
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt[0], int):
        return [[token for token in prompt if isinstance(token, int)]]
    return [one for one in prompt if not isinstance(one, int)]
