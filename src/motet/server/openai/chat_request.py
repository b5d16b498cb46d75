"""The request of `/v1/chat/completions`: every field of OpenAI's, and this server's own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from motet.server.openai.fields import Extension, Fields, Note, Refused
from motet.server.openai.knobs import MAX_TOP_LOGPROBS, Knobs, Stop
from motet.server.openai.messages import AnyMessage

__all__ = ["MAX_CHOICES", "ChatRequest", "StreamOptions"]

MAX_CHOICES = 128
_TOOLS = "tools come later"


class StreamOptions(Fields):
    """What a stream tells besides the text."""

    include_usage: bool | None = None
    include_obfuscation: Annotated[Any, Refused(False)] = None


class ResponseFormat(Fields):
    """Free text; JSON comes later."""

    type: Literal["text"]


class ChatRequest(Knobs):
    """A chat to be continued."""

    model: str
    messages: Annotated[
        list[AnyMessage],
        Field(min_length=1, max_length=10_000),
        Note(
            "text only; the assistant's may bring `reasoning_content` (or `reasoning`) and "
            "`channels` back. Several channels: the last one is the user's"
        ),
    ]
    stream: bool | None = None
    stream_options: Annotated[
        StreamOptions | None,
        Note("`include_usage`; `include_obfuscation` may be false. Only with `stream`"),
    ] = None
    n: Annotated[
        int | None, Field(ge=1, le=MAX_CHOICES), Note("decoded together, with seeds one apart")
    ] = None
    max_completion_tokens: Annotated[
        int | None, Field(ge=1), Note("tokens of all channels together; silence is none")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1), Note("its older name; not both with different values")
    ] = None
    stop: Annotated[
        Stop | None, Note("up to 4 strings; looked for in the content, never part of it")
    ] = None
    seed: Annotated[
        int | None, Field(ge=-(2**63), lt=2**63),
        Note("the same seed, request and server give the same reply; default: drawn"),
    ] = None  # fmt: skip
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    logprobs: Annotated[bool | None, Note("of the content's tokens, before penalties")] = None
    top_logprobs: Annotated[
        int | None, Field(ge=0, le=MAX_TOP_LOGPROBS), Note("only with `logprobs`")
    ] = None
    response_format: Annotated[
        ResponseFormat | None, Note('only `{"type": "text"}`; others are refused')
    ] = None
    modalities: Annotated[Any, Refused(["text"])] = None
    chat_template_kwargs: Annotated[
        dict[str, Any] | None,
        Extension("further values for a one-channel model's template; only those it looks at"),
    ] = None

    audio: Annotated[Any, Refused()] = None
    function_call: Annotated[Any, Refused("none", because=_TOOLS)] = None
    functions: Annotated[Any, Refused([], because=_TOOLS)] = None
    logit_bias: Annotated[Any, Refused({})] = None
    metadata: Annotated[Any, Refused({}, because="nothing is stored")] = None
    moderation: Annotated[Any, Refused()] = None
    parallel_tool_calls: Annotated[Any, Refused(True, because=_TOOLS)] = None
    prediction: Annotated[Any, Refused()] = None
    prompt_cache_key: Annotated[
        Any, Refused(because="equal beginnings are shared without a key")
    ] = None
    prompt_cache_options: Annotated[Any, Refused()] = None
    prompt_cache_retention: Annotated[Any, Refused()] = None
    reasoning_effort: Annotated[
        Any,
        Refused(because="thoughts are channels here; see `ablate` and `silence_penalty_thought`"),
    ] = None
    safety_identifier: Annotated[Any, Refused(because="nobody is told apart here")] = None
    service_tier: Annotated[Any, Refused("auto", "default")] = None
    store: Annotated[Any, Refused(False, because="nothing is stored")] = None
    tool_choice: Annotated[Any, Refused("none", because=_TOOLS)] = None
    tools: Annotated[Any, Refused([], because=_TOOLS)] = None
    user: Annotated[Any, Refused(because="nobody is told apart here")] = None
    verbosity: Annotated[Any, Refused("medium")] = None
    web_search_options: Annotated[Any, Refused()] = None
