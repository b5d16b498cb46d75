"""The request of `/v1/responses`: every field of OpenAI's, and this server's own."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from motet.server.errors import ApiError
from motet.server.openai.fields import Extension, Fields, Note, Refused
from motet.server.openai.knobs import MAX_TOP_LOGPROBS, Knobs, Stop
from motet.server.openai.messages import Message

__all__ = ["ResponsesRequest", "messages_of"]

_TOOLS = "tools come later"
_STORED = "nothing is stored; send the earlier messages in `input`"


class InputText(Fields):
    """A piece of text, of a user or of an earlier reply."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: Annotated[Any, Refused([])] = None
    logprobs: list[Any] | None = None


class ReasoningText(Fields):
    """A piece of an earlier thought."""

    type: Literal["reasoning_text"]
    text: str


class InputMessage(Fields):
    """A message; those of an earlier response may come back as they were.

    id, status, and the logprobs of a text are then the server's own words, and change nothing.
    """

    type: Literal["message"] | None = None
    role: Literal["user", "system", "developer", "assistant"]
    content: str | Annotated[list[InputText], Field(min_length=1)]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: Annotated[Any, Refused()] = None
    channels: Annotated[dict[str, str] | None, Extension("what further channels said")] = None


class InputReasoning(Fields):
    """What was thought before the assistant's next message."""

    type: Literal["reasoning"]
    content: list[ReasoningText] | None = None
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    summary: Annotated[Any, Refused([])] = None
    encrypted_content: Annotated[Any, Refused()] = None


def _kind(value: object) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if isinstance(kind, str) else "message"


InputItem = Annotated[
    Annotated[InputMessage, Tag("message")] | Annotated[InputReasoning, Tag("reasoning")],
    Discriminator(_kind),
]


class TextFormat(Fields):
    """Free text; JSON comes later."""

    type: Literal["text"]


class TextOptions(Fields):
    """How the text is to be."""

    format: TextFormat | None = None
    verbosity: Annotated[Any, Refused("medium")] = None


class ResponsesRequest(Knobs):
    """A conversation to be continued."""

    model: str
    input: Annotated[
        str | Annotated[list[InputItem], Field(min_length=1, max_length=10_000)],
        Note("text, or messages and reasoning items with text only"),
    ]
    instructions: Annotated[str | None, Note("a system message in front")] = None
    stream: bool | None = None
    max_output_tokens: Annotated[
        int | None, Field(ge=1), Note("tokens of all channels together; silence is none")
    ] = None
    include: Annotated[
        list[Literal["message.output_text.logprobs"]] | None,
        Note("only `message.output_text.logprobs`"),
    ] = None
    top_logprobs: Annotated[
        int | None, Field(ge=0, le=MAX_TOP_LOGPROBS),
        Note("only with `include: [message.output_text.logprobs]`"),
    ] = None  # fmt: skip
    metadata: Annotated[
        dict[str, str] | None, Field(max_length=16), Note("comes back in the response")
    ] = None
    text: Annotated[TextOptions | None, Note('only `{"format": {"type": "text"}}`')] = None

    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63), Extension("as in a chat")] = None
    stop: Annotated[Stop | None, Extension("as in a chat")] = None
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2), Extension("as in a chat")] = None
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2), Extension("as in a chat")] = None
    chat_template_kwargs: Annotated[dict[str, Any] | None, Extension("as in a chat")] = None

    access_programs: Annotated[Any, Refused()] = None
    background: Annotated[Any, Refused(False)] = None
    background_options: Annotated[Any, Refused()] = None
    context_management: Annotated[Any, Refused([])] = None
    conversation: Annotated[Any, Refused(because=_STORED)] = None
    image: Annotated[Any, Refused()] = None
    max_tool_calls: Annotated[Any, Refused(because=_TOOLS)] = None
    moderation: Annotated[Any, Refused()] = None
    parallel_tool_calls: Annotated[Any, Refused(True, because=_TOOLS)] = None
    previous_response_id: Annotated[Any, Refused(because=_STORED)] = None
    prompt: Annotated[Any, Refused()] = None
    prompt_cache_key: Annotated[
        Any, Refused(because="equal beginnings are shared without a key")
    ] = None
    prompt_cache_options: Annotated[Any, Refused()] = None
    prompt_cache_retention: Annotated[Any, Refused()] = None
    reasoning: Annotated[Any, Refused({}, because="thoughts are channels here")] = None
    safety_identifier: Annotated[Any, Refused(because="nobody is told apart here")] = None
    service_tier: Annotated[Any, Refused("auto", "default")] = None
    store: Annotated[Any, Refused(False, because="nothing is stored")] = None
    stream_options: Annotated[Any, Refused({}, {"include_obfuscation": False})] = None
    tool_choice: Annotated[Any, Refused("none", "auto", because=_TOOLS)] = None
    tools: Annotated[Any, Refused([], because=_TOOLS)] = None
    truncation: Annotated[Any, Refused("disabled")] = None
    user: Annotated[Any, Refused(because="nobody is told apart here")] = None


def messages_of(request: ResponsesRequest) -> list[Message]:
    """The conversation in plain terms; reasoning goes to the assistant's message behind it."""
    messages = []
    if request.instructions is not None:
        messages.append(Message("system", request.instructions))
    if isinstance(request.input, str):
        return [*messages, Message("user", request.input)]
    thought: str | None = None
    for item in request.input:
        if isinstance(item, InputReasoning):
            thought = (thought or "") + "".join(part.text for part in item.content or ())
            continue
        role = "system" if item.role == "developer" else item.role
        parts = item.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        if role == "assistant":
            messages.append(Message(role, text, thought, dict(item.channels or {})))
        elif item.channels:
            raise ApiError(
                400, "input: channels belong to the assistant's messages only",
                code="invalid_value", param="input",
            )  # fmt: skip
        else:
            messages.append(Message(role, text))
        thought = None
    return messages
