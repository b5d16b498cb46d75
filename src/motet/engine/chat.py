"""A chat with a one-channel model, as its template writes it, a turn at a time.

    <|im_start|>user\\n  hey  <|im_end|>\\n<|im_start|>assistant\\n  hello  <|im_end|>
    |-- the template --|     |------- the template -----------|         |- closing
                       |- words

A template writes whole chats. What a further turn adds to one stands behind the last reply, so it
is taken from a chat of as many turns with stand-ins for what was said; what was read is never
written again. Therefore thoughts of earlier replies stay, which some templates would leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motet.engine.marked import Disguise, cut_at, encode_marked
from motet.engine.template import ChatTemplate
from motet.errors import InputError
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Tokens

_STAND_IN = "x"
_MARKS = range(0x100000, 0x10FFFE)


@dataclass(frozen=True)
class WrittenTurn:
    """Tokens of a user's turn, up to where the reply begins; `words`: which are what was typed."""

    ids: tuple[int, ...]
    words: range


class Chat:
    """How one chat goes on. system: what it begins with; InputError if the template takes none.

    beginning_RC: what is read before the first words, whatever they are.
    """

    def __init__(self, template: ChatTemplate, codec: StreamCodec, system: str | None) -> None:
        self.system = system
        self._template = template
        self._codec = codec
        shape = self._shape("", 0)
        ids = encode_marked(shape.head[: shape.cut], codec, shape.disguise)
        opening = codec.layout.opening_RC()[:, 0].tolist()
        if ids[: len(opening)] == opening:
            ids = ids[len(opening) :]
        self.beginning_RC: Tokens = np.array(ids, TOKEN_DTYPE).reshape(-1, 1)

    def turn(self, text: str, num_before: int) -> WrittenTurn:
        """The user's turn after `num_before` others, without `beginning_RC` or `closing_ids`."""
        codec, shape = self._codec, self._shape(text, num_before)
        whole = self._render(text, shape.mark, num_before, shape.disguise)
        is_framed = whole.startswith(shape.head) and whole.endswith(shape.tail)
        framed = (shape.head, shape.tail) if is_framed else (whole[: shape.cut], "")
        ids = encode_marked(whole[shape.cut :], codec, shape.disguise)
        head, tail = (
            len(shape.disguise.take_off(part).encode())
            for part in (framed[0][shape.cut :], framed[1])
        )
        ends = np.cumsum([len(codec.token_bytes(i)) for i in ids])
        starts = np.concatenate([[0], ends[:-1]])
        inside = np.flatnonzero((ends > head) & (starts < ends[-1] - tail)).tolist()
        return WrittenTurn(tuple(ids), range(inside[0], inside[-1] + 1))

    @cached_property
    def closing_ids(self) -> list[int]:
        """What closes a reply that has not ended itself; nothing if the template has no end."""
        shape = self._shape("", 1)
        return encode_marked(shape.head[: shape.cut], self._codec, shape.disguise)

    def _shape(self, text: str, num_before: int) -> _Shape:
        """What stands around the words of a turn. text: the words; its stand-ins are not in it."""
        texts = [self.system or "", text]
        free = (chr(code) for code in _MARKS if not any(chr(code) in one for one in texts))
        mark, words = next(free), next(free)
        disguise = Disguise(self._codec.special_tokens, [*texts, mark, words])
        whole = self._render(words, mark, num_before, disguise)
        head, found, tail = whole.partition(words)
        if not found:
            raise InputError("chat template", expected="to write what the user says", got="none")
        cut = self._end_of_reply(head) if num_before else self._end_of_special(head)
        return _Shape(head, tail, cut, mark, disguise)

    def _render(self, text: str, mark: str, num_before: int, disguise: Disguise) -> str:
        """The chat up to where the reply begins, from behind the last reply on."""
        chat = [] if self.system is None else [("system", self.system)]
        for number in range(1, num_before + 1):
            chat += [
                ("user", _STAND_IN),
                ("assistant", mark if number == num_before else _STAND_IN),
            ]
        messages = [
            {"role": role, "content": disguise.put_on(said, role=role)}
            for role, said in [*chat, ("user", text)]
        ]
        _, found, written = self._template.render(messages).rpartition(mark)
        if num_before and not found:
            raise InputError("chat template", expected="to write what was replied", got="none")
        return written

    def _end_of_reply(self, head: str) -> int:
        """Where in the text behind a reply its end token ends; 0 if there is none."""
        place = 0
        for part in cut_at(head, self._codec.special_tokens):
            place += len(part)
            if self._codec.special_tokens.get(part) in self._codec.end_ids:
                return place
        return 0

    def _end_of_special(self, head: str) -> int:
        """Where the last special token ends: text after it may become one token with the words."""
        place = last = 0
        for part in cut_at(head, self._codec.special_tokens):
            place += len(part)
            if part in self._codec.special_tokens:
                last = place
        return last


@dataclass(frozen=True, eq=False)
class _Shape:
    """head, tail: around the words. cut: how much of the head is written before the turn."""

    head: str
    tail: str
    cut: int
    mark: str
    disguise: Disguise
