"""From the rows of one conversation to what was said in it: texts, and in which rows.

The rows may come from an engine in this process or from a server's socket; they are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from motet.eval.questions.trial import Said, Voice
from motet.protocol.row import Row
from motet.server.openai.thinking import ThinkSplitter
from motet.streams.layout import Role

__all__ = ["ReplyMark", "said_in"]


@dataclass(frozen=True, slots=True)
class ReplyMark:
    """Where in what the visible channel says the reply begins.

    answer_after: behind the last of these marks. thinks: behind a `<think>` block that opens the
    text, if there is one; starts_in_thought: the prompt has opened it already.
    """

    answer_after: str | None = None
    thinks: bool = False
    starts_in_thought: bool = False

    def start(self, text: str) -> int | None:
        """The character where the reply begins; None if it has not begun."""
        if self.answer_after is not None:
            place = text.rfind(self.answer_after)
            return None if place < 0 else place + len(self.answer_after)
        if not self.thinks:
            return 0
        splitter = ThinkSplitter(starts_in_thought=self.starts_in_thought)
        splitter.push(text)
        splitter.flush()
        return splitter.content_from


def said_in(
    rows: Sequence[Row],
    roles: Mapping[str, Role],
    channels: dict[str, str],
    stopped_by: str,
    mark: ReplyMark,
    end_ids: Collection[int] = (),
) -> Said:
    """What a conversation of one question was. roles, channels: by name, in the layout's order.

    end_ids: tokens that say nothing, though they have a text.
    """
    kinds = list(roles.values())
    output = kinds.index(Role.OUTPUT)
    prompt = kinds.index(Role.INPUT) if Role.INPUT in kinds else output
    own = [row for row in rows if not row.given[output]]
    deltas = ["" if row.token_ids[output] in end_ids else row.deltas[output] for row in own]
    text = "".join(deltas)
    start = mark.start(text)
    return Said(
        channels=channels,
        reply="" if start is None else text[start:],
        stopped_by=stopped_by,
        num_rows=len(rows),
        question_row=max((r.index for r in rows if r.given[prompt] and not r.silent[prompt]),
                         default=None),
        reply_row=None if start is None else _first_row(own, deltas, start),
        voices={
            name: _voice(rows, channel)
            for channel, (name, role) in enumerate(roles.items())
            if role is not Role.INPUT
        },
        rows=tuple(rows),
    )  # fmt: skip


def _first_row(rows: Sequence[Row], deltas: Sequence[str], start: int) -> int | None:
    """The row that says the first character from `start` on that is no blank."""
    position = 0
    for row, delta in zip(rows, deltas, strict=True):
        if delta[max(start - position, 0) :].strip():
            return row.index
        position += len(delta)
    return None


def _voice(rows: Sequence[Row], channel: int) -> Voice:
    spoken = [r.index for r in rows if not r.silent[channel] and not r.given[channel]]
    return Voice(len(spoken), min(spoken, default=None), max(spoken, default=None))
