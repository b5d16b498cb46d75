"""Messages as the chat and the responses endpoint take them: text by roles, thoughts beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from motet.server.openai.fields import Extension, Fields, Refused

__all__ = ["AnyMessage", "Message", "TextPart", "plain_messages"]


@dataclass(frozen=True)
class Message:
    """One message in plain terms. role: `system`, `user` or `assistant`.

    reasoning: what the assistant thought; channels: what it said on further channels, by name.
    """

    role: str
    content: str
    reasoning: str | None = None
    channels: dict[str, str] = field(default_factory=dict)


class TextPart(Fields):
    """A piece of text; images, sound and files are not for these models."""

    type: Literal["text"]
    text: str


_Content = str | Annotated[list[TextPart], Field(min_length=1)]


class _Instruction(Fields):
    content: _Content
    name: Annotated[Any, Refused()] = None


class SystemMessage(_Instruction):
    """What the model is told beforehand."""

    role: Literal["system"]


class DeveloperMessage(_Instruction):
    """The same under its newer name."""

    role: Literal["developer"]


class UserMessage(_Instruction):
    """What the user said."""

    role: Literal["user"]


class AssistantMessage(Fields):
    """What the model said; `channels` and the reasoning fields may come back as they were sent."""

    role: Literal["assistant"]
    content: _Content | None = None
    reasoning_content: Annotated[str | None, Extension("what it thought")] = None
    reasoning: Annotated[str | None, Extension("the same")] = None
    channels: Annotated[dict[str, str] | None, Extension("what further channels said")] = None
    name: Annotated[Any, Refused()] = None
    refusal: Annotated[Any, Refused()] = None
    audio: Annotated[Any, Refused()] = None
    function_call: Annotated[Any, Refused()] = None
    tool_calls: Annotated[Any, Refused([])] = None
    annotations: Annotated[Any, Refused([])] = None


def _role(value: object) -> str | None:
    role = value.get("role") if isinstance(value, dict) else getattr(value, "role", None)
    return role if isinstance(role, str) else None


AnyMessage = Annotated[
    Annotated[SystemMessage, Tag("system")]
    | Annotated[DeveloperMessage, Tag("developer")]
    | Annotated[UserMessage, Tag("user")]
    | Annotated[AssistantMessage, Tag("assistant")],
    Discriminator(_role),
]


def plain_messages(messages: Sequence[Any]) -> list[Message]:
    """Messages of a request in plain terms; `developer` is `system`."""
    plain = []
    for message in messages:
        role = "system" if message.role == "developer" else message.role
        text = _text(message.content)
        if isinstance(message, AssistantMessage):
            thought = message.reasoning_content or message.reasoning
            plain.append(Message(role, text, thought, dict(message.channels or {})))
        else:
            plain.append(Message(role, text))
    return plain


def _text(content: str | list[TextPart] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text for part in content)
