"""Past messages as rows: what a session reads first when it goes on with a conversation.

User   Output  Think
hi     .       .          a message to the model is read in silence
<end>  .       .
.      ok      so         then the voices of the reply speak side by side
.      <end>   be
.      .       it
.      .       <end>
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from motet.errors import GridError, InputError
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Tokens
from motet.streams.layout import Role


@dataclass(frozen=True)
class Past:
    """A message of a conversation before this session.

    role: `user`, `system` (read as a user's message is) or `assistant`. content: what was typed, or
    what Output said. channels: what the assistant's other channels said, by name.
    """

    role: str
    content: str
    channels: Mapping[str, str] = field(default_factory=dict)


def history_rows(codec: StreamCodec, messages: Sequence[Past]) -> Tokens:
    """Rows [R, C] of past messages; what is empty says nothing.

    Raises InputError for another role, LayoutError for a channel that the layout does not have.
    """
    layout = codec.layout
    blocks = [np.empty((0, layout.num_channels), TOKEN_DTYPE)]
    for message in messages:
        if message.role in ("user", "system"):
            has_end = bool(layout.input_indices)  # else the reply goes on where the prompt ends
            texts = {layout.prompt_index: message.content}
        elif message.role == "assistant":
            has_end = True
            texts = {layout.output_index: message.content}
            texts.update((_voice(codec, name), text) for name, text in message.channels.items())
        else:
            raise InputError("role", expected="user, system or assistant", got=repr(message.role))
        blocks.append(_side_by_side(codec, texts, has_end=has_end))
    return np.concatenate(blocks)


def check_beginning(tokens_RC: Tokens, codec: StreamCodec) -> None:
    """GridError if these are no rows of the codec's layout."""
    C = codec.layout.num_channels
    if tokens_RC.ndim != 2 or tokens_RC.shape[1] != C or tokens_RC.dtype != TOKEN_DTYPE:
        got = f"{tokens_RC.dtype} {list(tokens_RC.shape)}"
        raise GridError("beginning", expected=f"int32 rows of {C} cells", got=got)
    if tokens_RC.size and not 0 <= tokens_RC.min() <= tokens_RC.max() < codec.vocab_size:
        raise GridError(
            "beginning", expected=f"token ids from 0 to {codec.vocab_size - 1}",
            got=f"{tokens_RC.min()} to {tokens_RC.max()}",
        )  # fmt: skip


def _voice(codec: StreamCodec, name: str) -> int:
    channel = codec.layout.index(name)
    if codec.layout.channels[channel].role is not Role.THOUGHT:
        raise InputError("channel of a past reply", expected="a thought channel", got=repr(name))
    return channel


def _side_by_side(codec: StreamCodec, texts: Mapping[int, str], *, has_end: bool) -> Tokens:
    end = [codec.end_id] if codec.end_id is not None and has_end else []
    columns = {channel: codec.encode(text) + end for channel, text in texts.items() if text}
    num_rows = max(map(len, columns.values()), default=0)
    silence_id = 0 if codec.silence_id is None else codec.silence_id
    rows = np.full((num_rows, codec.layout.num_channels), silence_id, TOKEN_DTYPE)
    for channel, ids in columns.items():
        rows[: len(ids), channel] = ids
    return rows
