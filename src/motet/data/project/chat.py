"""Chats with reasoning to User, Think and Output.

    User     How many legs have 3 cats and a bird?
    Think                                           3*4=12, and 2 more.
    Output                                                               They have 14 legs.

The User's words come one a row. Think begins when the User has ended, or with wait-k so many pieces
behind (Ma et al., arXiv:1810.08398), and Output once Think has ended; a reply without reasoning
follows the User as Think would. What a channel says can be known to the others two rows later.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motet.data.project.corpus import Entry
from motet.data.project.holding import Heard
from motet.data.project.messages import Said, read_messages
from motet.data.project.pieces import pieces
from motet.data.project.projecting import LeftOut
from motet.data.project.sheet import LAG, Sheet
from motet.data.table import Table
from motet.streams.layout import Channel, Role

__all__ = ["ChatProjection"]

SOURCE = "chat"
CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
)
_KEPT = ("question", "answer")


@dataclass(frozen=True)
class ChatProjection:
    """A `motet.data.project.projecting.Projection` of chats.

    wait_k: how many pieces behind the User's first one replies begin, at least 2 (a word is known
    elsewhere two rows later); None: when the User has ended.
    """

    wait_k: int | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See `Projection`."""
        return CHANNELS

    @property
    def command(self) -> tuple[str, ...]:
        """See `Projection`."""
        wait = () if self.wait_k is None else ("--wait-k", str(self.wait_k))
        return ("motet", "data", "project", "chat", *wait)

    @property
    def tools(self) -> tuple[Path, ...]:
        """See `Projection`."""
        return ()

    def __call__(self, entry: Entry) -> Table:
        """See `Projection`."""
        messages = read_messages(entry)
        _check(messages)
        score = _Score(self.wait_k)
        for message in messages:
            if message.role == "assistant":
                score.reply(message)
            else:
                score.ask(message.text)
        meta: dict[str, Any] = {"source": SOURCE}
        meta |= {} if self.wait_k is None else {"wait_k": self.wait_k}
        meta |= {key: entry.data[key] for key in _KEPT if key in entry.data}
        return score.sheet.table(entry.name, meta)


def _check(messages: list[Said]) -> None:
    if not any(message.role == "user" for message in messages):
        raise LeftOut("no message of a user")
    if messages[-1].role != "assistant":
        raise LeftOut("no reply at the end")
    if any(not message.text.strip() for message in messages):
        raise LeftOut("a message without text")


class _Score:
    """Sets the messages of one chat in turn."""

    def __init__(self, wait_k: int | None) -> None:
        self.sheet = Sheet(CHANNELS)
        self._wait_k = wait_k
        self._heard = Heard()
        self._row = 0  # where the next message may begin
        self._asked: int | None = None  # where the User began what is not replied to yet

    def ask(self, text: str) -> None:
        """The User says something."""
        said = pieces(text)
        span = self.sheet.say("User", said, self._row)
        self._heard.add(said, span.first)
        self._asked = span.first if self._asked is None else self._asked
        self._row = span.last + LAG

    def reply(self, message: Said) -> None:
        """Think and Output reply."""
        row = self._row
        if self._asked is not None and self._wait_k is not None:
            row = min(row, self._asked + self._wait_k)
        if message.reasoning:
            row = self._say("Think", message.reasoning, row) + LAG
        last = self._say("Output", message.text, row)
        self._row, self._asked = max(self._row, last + LAG), None

    def _say(self, channel: str, text: str, row: int) -> int:
        said = pieces(text)
        return self.sheet.say(channel, said, row, holds=self._heard.holds(said)).last
