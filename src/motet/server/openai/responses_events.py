"""The events of a streamed response: items open when they are first spoken on, and grow.

    created, in_progress
      output_item.added (reasoning)  reasoning_text.delta ...  reasoning_text.done  output_item.done
      output_item.added (message)    output_text.delta ...     output_text.done     output_item.done
    completed | incomplete | failed

Thought and text of several channels grow side by side, so both items may be open at once.
"""

from __future__ import annotations

from typing import Any

from motet.server.openai.responses_response import (
    Frame,
    message_item,
    reasoning_item,
    text_part,
)  # fmt: skip
from motet.server.openai.said import Said
from motet.server.openai.serving import fresh_id
from motet.server.openai.streaming import event
from motet.server.openai.usage import Usage
from motet.server.openai.voices import Piece
from motet.streams.codec import StreamCodec

__all__ = ["ResponseEvents"]


class ResponseEvents:
    """Writes the pieces of one reply as events.

    channels: names of the channels beside content and reasoning.
    """

    def __init__(
        self, frame: Frame, codec: StreamCodec, channels: list[str], *, has_logprobs: bool
    ) -> None:
        self._frame = frame
        self._codec = codec
        self._channels = channels
        self._has_logprobs = has_logprobs
        self._said = Said()
        self._number = 0
        self._message_id, self._reasoning_id = fresh_id("msg_"), fresh_id("rs_")
        self._places: dict[str, int] = {}

    def begin(self) -> list[bytes]:
        """What comes before the first piece."""
        response = self._frame.begun()
        return [
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
        ]

    def tell(self, piece: Piece) -> list[bytes]:
        """The events of a piece."""
        self._said.add(piece)
        events: list[bytes] = []
        if piece.reasoning:
            events += self._open_reasoning()
            events.append(
                self._part(
                    "response.reasoning_text.delta", self._reasoning_id, delta=piece.reasoning
                )
            )
        if piece.content or piece.channels or piece.end is not None:
            events += self._open_message()
        if piece.content:
            events.append(
                self._part(
                    "response.output_text.delta", self._message_id, delta=piece.content,
                    logprobs=self._logprobs(piece),
                )
            )  # fmt: skip
        for name, text in piece.channels.items():
            events.append(
                self._part(
                    "response.channel_text.delta", self._message_id, channel=name, delta=text
                )
            )
        return events

    def end(self, usage: Usage) -> list[bytes]:
        """What comes after the last piece, which has an end."""
        said, events = self._said, []
        status = self._status
        items: dict[str, dict[str, Any]] = {}
        if self._reasoning_id in self._places:
            item = reasoning_item(self._reasoning_id, status, said.reasoning)
            part = {"type": "reasoning_text", "text": said.reasoning}
            events += [
                self._part("response.reasoning_text.done", self._reasoning_id, text=said.reasoning),
                self._part("response.content_part.done", self._reasoning_id, part=part),
                self._item("response.output_item.done", self._reasoning_id, item),
            ]
            items[self._reasoning_id] = item
        part = text_part(said.content, self._logprobs(said))
        item = message_item(self._message_id, status, [part], self._further)
        events += [
            self._part(
                "response.output_text.done", self._message_id, text=said.content,
                logprobs=part["logprobs"],
            ),
            *(
                self._part("response.channel_text.done", self._message_id, channel=name, text=text)
                for name, text in said.channels.items()
            ),
            self._part("response.content_part.done", self._message_id, part=part),
            self._item("response.output_item.done", self._message_id, item),
        ]  # fmt: skip
        items[self._message_id] = item
        output = [items[item_id] for item_id in self._places]
        response = self._frame.ended(said, output, usage)
        return [*events, self._event(f"response.{response['status']}", response=response)]

    def fail(self, message: str) -> bytes:
        """What comes when the reply breaks off."""
        return self._event("response.failed", response=self._frame.failed(message))

    @property
    def _status(self) -> str:
        end = self._said.end
        if end is None:
            return "in_progress"
        return "completed" if end.reason == "stop" else "incomplete"

    @property
    def _further(self) -> dict[str, str] | None:
        if not self._channels:
            return None
        return {name: self._said.channels.get(name, "") for name in self._channels}

    def _open_reasoning(self) -> list[bytes]:
        if self._reasoning_id in self._places:
            return []
        self._places[self._reasoning_id] = len(self._places)
        item = reasoning_item(self._reasoning_id, "in_progress", "")
        part = {"type": "reasoning_text", "text": ""}
        return [
            self._item("response.output_item.added", self._reasoning_id, item),
            self._part("response.content_part.added", self._reasoning_id, part=part),
        ]

    def _open_message(self) -> list[bytes]:
        if self._message_id in self._places:
            return []
        self._places[self._message_id] = len(self._places)
        nothing = None if not self._channels else dict.fromkeys(self._channels, "")
        item = message_item(self._message_id, "in_progress", [], nothing)
        return [
            self._item("response.output_item.added", self._message_id, item),
            self._part("response.content_part.added", self._message_id, part=text_part("", [])),
        ]

    def _logprobs(self, said: Piece | Said) -> list[dict[str, Any]]:
        if not self._has_logprobs:
            return []
        return [token.chat_json(self._codec) for token in said.tokens]

    def _item(self, kind: str, item_id: str, item: dict[str, Any]) -> bytes:
        return self._event(kind, output_index=self._places[item_id], item=item)

    def _part(self, kind: str, item_id: str, **fields: Any) -> bytes:
        return self._event(
            kind, item_id=item_id, output_index=self._places[item_id], content_index=0, **fields
        )

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return event(data, kind)
