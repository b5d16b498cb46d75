"""Messages or a text to what a session is opened with and given.

several channels   history and instructions as rows laid out side by side; then the last message
                   goes to the input channel, live or at once
one channel        everything through the chat template; all tokens but the last are read before
                   the session begins, so that equal beginnings are shared
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motet.engine import Engine
from motet.engine.history import Past, history_rows
from motet.engine.marked import OPEN, Disguise, encode_marked
from motet.engine.message import check_ids, message_tokens
from motet.errors import InputError
from motet.server.errors import ApiError
from motet.server.openai.messages import Message
from motet.streams.grid import TOKEN_DTYPE, Tokens

__all__ = ["Prompt", "Prompter"]


@dataclass(frozen=True, eq=False)
class Prompt:
    """What a reply answers. beginning_RC: rows read after what opens every session of the model.

    ids: tokens of the message. num_rows, num_tokens: of all three; silence is no token.
    row_tokens: tokens of each row before the message. starts_in_thought: the reply begins inside
    `<think>`.
    """

    beginning_RC: Tokens
    ids: tuple[int, ...]
    num_rows: int
    num_tokens: int
    row_tokens: tuple[int, ...]
    starts_in_thought: bool = False


class Prompter:
    """Makes prompts for one model; CheckpointError if its chat template is broken."""

    def __init__(self, engine: Engine[Any]) -> None:
        self._codec = engine.codec
        self._layout = engine.codec.layout
        self._opening_RC = self._layout.opening_RC()
        self._nothing_RC = self._opening_RC[:0]
        self.is_multi_stream = self._layout.num_channels > 1
        self._template = engine.chat_template

    def of_messages(
        self, messages: Sequence[Message], values: Mapping[str, Any] | None = None
    ) -> Prompt:
        """The prompt of a chat. values: further ones for the chat template."""
        if self.is_multi_stream:
            if values:
                raise _unsupported("chat_template_kwargs", "this model has no chat template")
            return self._rows(messages)
        text, disguise = self._render(messages, values or {}, add_generation_prompt=True)
        ids = encode_marked(text, self._codec, disguise)
        return self._column(ids, starts_in_thought=text.rstrip().endswith(OPEN))

    def of_text(self, text: str) -> Prompt:
        """The prompt that is a text: a message, or for one channel the text to go on with."""
        if self.is_multi_stream:
            return self._prompt(self._nothing_RC, message_tokens(text, self._codec))
        return self._column(self._codec.encode(text))

    def of_ids(self, ids: Sequence[int]) -> Prompt:
        """The prompt that consists of these tokens; what opens every session may be among them."""
        check_ids(ids, self._codec)
        if self.is_multi_stream:
            end_id = self._codec.end_id
            end = [] if end_id in (None, ids[-1]) else [end_id]
            return self._prompt(self._nothing_RC, [*ids, *end])
        return self._column(ids)

    @property
    def opening_ids(self) -> list[int]:
        """What opens every text of a one-channel model; ApiError for other models."""
        if self.is_multi_stream:
            raise _unsupported("add_special_tokens", "several channels are opened by rows")
        opening: list[int] = self._opening_RC[:, 0].tolist()
        return opening

    def ids_of_messages(
        self, messages: Sequence[Message], *, add_generation_prompt: bool
    ) -> list[int]:
        """Tokens of a chat as a one-channel model reads it; ApiError for other models."""
        if self.is_multi_stream:
            raise _unsupported(
                "messages", "a chat of several channels is rows, no list of tokens; send `prompt`"
            )
        text, disguise = self._render(messages, {}, add_generation_prompt=add_generation_prompt)
        return encode_marked(text, self._codec, disguise)

    def _rows(self, messages: Sequence[Message]) -> Prompt:
        if messages[-1].role != "user":
            raise ApiError(
                400, "messages: the last one must be the user's, for a model of several channels",
                code="invalid_value", param="messages",
            )  # fmt: skip
        past = [self._past(message) for message in messages[:-1]]
        ids = message_tokens(messages[-1].content, self._codec)
        return self._prompt(history_rows(self._codec, past), ids)

    def _past(self, message: Message) -> Past:
        channels = dict(message.channels)
        if message.reasoning is not None:
            thoughts = self._layout.thought_indices
            if not thoughts:
                raise _unsupported("messages.reasoning_content", "this model has no thoughts")
            channels.setdefault(self._layout.names[thoughts[0]], message.reasoning)
        return Past(message.role, message.content, channels)

    def _render(
        self, messages: Sequence[Message], values: Mapping[str, Any], *, add_generation_prompt: bool
    ) -> tuple[str, Disguise]:
        if self._template is None:
            raise ApiError(
                400, "messages: this model has no chat template; use /v1/completions",
                code="unsupported_parameter", param="messages",
            )  # fmt: skip
        if alien := sorted(set(values) - self._template.variables):
            known = ", ".join(sorted(self._template.variables)) or "none"
            raise _unsupported(
                f"chat_template_kwargs.{alien[0]}", f"the chat template looks at: {known}"
            )
        plain = [_as_template_sees(message) for message in messages]
        texts = [text for message in plain for text in message.values()]
        disguise = Disguise(self._codec.special_tokens, texts)
        disguised = [
            {"role": message["role"]}
            | disguise.put_on(
                {key: text for key, text in message.items() if key != "role"}, role=message["role"]
            )
            for message in plain
        ]
        given = disguise.put_on(dict(values), role="user")
        text = self._template.render(disguised, given, add_generation_prompt=add_generation_prompt)
        return text, disguise

    def _column(self, ids: Sequence[int], *, starts_in_thought: bool = False) -> Prompt:
        """The opening comes by itself: in `ids`, where templates write it, it is left out."""
        opening = self._opening_RC[:, 0].tolist()
        if list(ids[: len(opening)]) == opening:
            ids = ids[len(opening) :]
        if not ids:
            raise InputError("prompt", expected="some text", got="nothing")
        beginning_RC = np.array(ids[:-1], TOKEN_DTYPE).reshape(-1, 1)
        return self._prompt(beginning_RC, ids[-1:], starts_in_thought=starts_in_thought)

    def _prompt(
        self, beginning_RC: Tokens, ids: Sequence[int], *, starts_in_thought: bool = False
    ) -> Prompt:
        rows_RC = np.concatenate([self._opening_RC, beginning_RC])
        silence_id = -1 if self._codec.silence_id is None else self._codec.silence_id
        row_tokens = (rows_RC != silence_id).sum(axis=1).tolist()
        return Prompt(
            beginning_RC=beginning_RC,
            ids=tuple(ids),
            num_rows=len(rows_RC) + len(ids),
            num_tokens=sum(row_tokens) + len(ids),
            row_tokens=tuple(row_tokens),
            starts_in_thought=starts_in_thought,
        )


def _as_template_sees(message: Message) -> dict[str, str]:
    if message.channels:
        raise _unsupported("messages.channels", "this model has one channel")
    seen = {"role": message.role, "content": message.content}
    if message.reasoning is not None:
        seen |= dict.fromkeys(("reasoning_content", "reasoning", "thinking"), message.reasoning)
    return seen


def _unsupported(param: str, why: str) -> ApiError:
    return ApiError(400, f"{param}: {why}", code="unsupported_parameter", param=param)
