"""Set a task for four voices: which token stands in which row of which channel.

A model reads row t when it computes row t+1 of its own channel, but sees the other channels one row
later: what stands elsewhere in row t can first change this channel in row t+2. Every entry below
keeps to that.

    User       What is 47 + 38 ? <end>
    Output                                                              It is 85. <end>
    Think                  47   38    47+38: 7+8=15, 4+3+1=8 -> 85.     <end>
    Skeptical                               : 7+8=15, 4+3+1=8 -> 85 ok  <end>

Think notes each number once it is certain where it ends, writes one line, waits for the verdict,
writes the next. A line ends with a newline, the last one with a full stop.

Skeptical takes the step as Think has chosen it, and does the same work once more, one row behind:
each of its tokens is predicted when Think's token for that place cannot be seen yet, and can be
compared with it in the next row. Work that stays the same to its end is " ok". Where Think writes
something else, Skeptical says " no" at once; Think breaks off as soon as it can know, and writes
the line again:

    Think                  47   38    47+38: 7+8=14, 4+ \n        47+38: 7+8=15, 4+3+1=8 -> 85.
    Skeptical                               : 7+8=15 no \n               : 7+8=15, 4+3+1=8 -> 85 ok

It does not choose the step itself: where it did and objected to Think's choice, most problems went
wrong (docs/experiments.md).

Without Skeptical nobody is waited for: Think's lines follow each other, and Output begins as soon
as it can know that the last one is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tokenizers import Tokenizer

from motet.data.tiny.lines import Line, Task
from motet.data.tiny.mistakes import Written, written_lines
from motet.data.tiny.number_words import find_numbers
from motet.data.tiny.tokenizer import END, token_id

__all__ = ["LAG", "SHADOW", "Part", "Turn"]

LAG = 2
"""Rows from a token to the first token of another channel that may depend on it."""

SHADOW = 1
"""Rows from a token of Think to the same place in Skeptical's line."""


@dataclass(slots=True)
class Part:
    """One channel: tokens by row; rows that decide something; rows that are not to be learned."""

    tokens: dict[int, int] = field(default_factory=dict)
    decisions: set[int] = field(default_factory=set)
    unlearned: set[int] = field(default_factory=set)
    free_row: int = 0

    def say(self, ids: list[int], not_before: int) -> tuple[int, int]:
        """Put tokens into successive rows as soon as the channel is free; first and last row."""
        first = max(self.free_row, not_before)
        for row, token in enumerate(ids, start=first):
            self.tokens[row] = token
        self.free_row = first + len(ids)
        return first, self.free_row - 1

    def break_off(self, began: int, row: int, end: int) -> None:
        """Say no more from `row` on, but `end` if something was said since row `began`."""
        is_speaking = False
        for said in sorted(self.tokens):
            is_speaking = self.tokens[said] != end if began <= said < row else is_speaking
        self.tokens = {said: token for said, token in self.tokens.items() if said < row}
        self.decisions = {said for said in self.decisions if said < row}
        self.unlearned = {said for said in self.unlearned if said < row}
        if is_speaking:
            self.tokens[row] = end
        self.free_row = row + is_speaking


@dataclass(slots=True)
class Turn:
    """Writes one task into the four parts, from row `start` on.

    skeptical: None if nobody doubts. prefilled: the message was read at once with the other
    channels silent, so Think makes up for its notes afterwards. mistake_share: probability of one
    planted mistake. planted: the rows in which lines become wrong.
    """

    tokenizer: Tokenizer
    user: Part
    output: Part
    think: Part
    skeptical: Part | None
    rng: Random
    mistake_share: float
    prefilled: bool
    planted: list[int] = field(default_factory=list)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Of all channels, in their order."""
        doubting = () if self.skeptical is None else (self.skeptical,)
        return (self.user, self.output, self.think, *doubting)

    def write(self, task: Task, start: int) -> int:
        """Returns the first row in which all channels are free again."""
        _, heard = self.user.say([*self._ids(task.question), self._end], start)
        reply_row = heard + LAG
        if task.lines:
            self._take_notes(task.question, start, heard)
            reply_row = self._work(task, heard + LAG)
        self.output.say([*self._ids(task.reply), self._end], reply_row)
        return max(part.free_row for part in self.parts)

    @property
    def _end(self) -> int:
        return token_id(self.tokenizer, END)

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _take_notes(self, question: str, start: int, heard: int) -> None:
        encoding = self.tokenizer.encode(question, add_special_tokens=False)
        separator = ""
        for number in find_numbers(question):
            last = next(i for i, (_, end) in enumerate(encoding.offsets) if end >= number.end)
            is_open = question[number.end : number.end + 1] in ("-", ",")
            certain = start + last + 1 + is_open
            row = heard + LAG if self.prefilled else certain + LAG
            self.think.say(self._ids(f"{separator}{number.value}"), row)
            separator = " "
        if self.prefilled:
            self.think.unlearned.update(range(start, heard + LAG))
        if separator:
            self.think.say(self._ids("\n"), heard + LAG)

    def _work(self, task: Task, row: int) -> int:
        """Lines and verdicts; returns the row in which Output may begin."""
        ended = row
        for written in written_lines(task, self.rng, self.mistake_share):
            if written.is_wrong:
                row = self._mislead(written, row)
            else:
                ended = self._state(written.line, written.stop, row)
                row = self._agree(written, ended)
        self.think.say([self._end], row)
        return max(row, ended + LAG)

    def _state(self, line: Line, stop: str, row: int) -> int:
        """A right line; returns its last row."""
        first, ended = self.think.say(self._ids(line.text + stop), row)
        self.think.decisions.update(range(first, first + self._num_given(line)), [ended])
        return ended

    def _mislead(self, written: Written, row: int) -> int:
        """A wrong line, and the objection; returns the row in which the right line may begin.

        From where it leaves the right line on, the wrong one is not to be learned.
        """
        assert self.skeptical is not None
        wrong, right, same = written.parting(self._ids)
        first = max(self.think.free_row, row)
        left, given = first + same, self._num_given(written.line)
        shadow = right[: same + 1] if same + 1 < len(right) else right[:same]
        self.skeptical.say(shadow[given:], first + given + SHADOW)
        said, _ = self.skeptical.say([*self._ids(" no"), *self._ids("\n")], left + LAG)
        self.skeptical.decisions.add(said)
        heard = said + LAG
        _, ended = self.think.say(wrong[: heard - first], first)
        self.think.unlearned.update(range(left, ended + 1))
        self.planted.append(left)
        if [self.think.tokens[ended]] != self._ids("\n"):
            self.think.say(self._ids("\n"), heard)
        return heard

    def _agree(self, written: Written, ended: int) -> int:
        """Skeptical's own line, the same as Think's; returns the row in which Think goes on."""
        if self.skeptical is None:
            return ended + 1
        began = ended + 1 - len(self._ids(written.text + written.stop))
        given = self._num_given(written.line)
        self.skeptical.say(self._ids(written.text)[given:], began + given + SHADOW)
        said, _ = self.skeptical.say(self._ids(" ok"), ended + LAG)
        self.skeptical.decisions.add(said)
        self.skeptical.say([self._end] if written.is_last else self._ids("\n"), said + 1)
        return said + LAG

    def _num_given(self, line: Line) -> int:
        """How many tokens of a line say which step it is."""
        return len(self._ids(str(line.step))) if line.step else 0
