"""The same working in one channel: read the question, think, doubt, then reply.

    What is 47 + 38?
    47 38
    47+38: 7+8=15, 4+3+1=8 -> 85.<answer>It is 85.<end>

What the streams of `score` say side by side stands here one after the other, in the order in which
each part can follow from those before it: the texts and the planted mistakes are the same, only
that a wrong line is written to its end here, where streams break it off. With doubt, Skeptical's
work and verdict stand behind each line of Think. Nothing is silent but row 0, as in streams. Every
cell that is not the question's is learned, but the wrong ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import numpy as np
from tokenizers import Tokenizer

from motet.data.tiny.conversation import Conversation, Target
from motet.data.tiny.lines import Task
from motet.data.tiny.mistakes import Written, written_lines
from motet.data.tiny.number_words import find_numbers
from motet.data.tiny.tokenizer import ANSWER, END, SILENCE, token_id
from motet.streams.grid import TOKEN_DTYPE
from motet.streams.layout import Channel, Role

__all__ = ["SEQUENCE_CHANNELS", "compose_sequence"]

SEQUENCE_CHANNELS = (Channel("Output", Role.OUTPUT),)


@dataclass(slots=True)
class _Column:
    """Tokens one after the other, and what each is to the loss."""

    tokenizer: Tokenizer
    tokens: list[int] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def say(self, text: str, target: Target = Target.SPOKEN) -> None:
        self.add(self.ids(text), target)

    def add(self, ids: list[int], target: Target = Target.SPOKEN) -> None:
        self.tokens += ids
        self.targets += [target] * len(ids)

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)


def compose_sequence(
    task: Task, tokenizer: Tokenizer, rng: Random, *, mistake_share: float = 0.0, doubted: bool
) -> Conversation:
    """One task as a grid of one channel; the same dice plant the same mistakes."""
    assert doubted or not mistake_share, "a mistake needs somebody who objects"
    column, planted = _Column(tokenizer), list[int]()
    column.add([token_id(tokenizer, SILENCE)], Target.NONE)
    column.say(task.question + "\n", Target.NONE)
    if task.lines:
        notes = " ".join(str(number.value) for number in find_numbers(task.question))
        column.say(notes + "\n" * bool(notes))
    for written in written_lines(task, rng, mistake_share):
        _think(column, written)
        if written.is_wrong:
            planted.append(len(column.tokens) - 1)
        if doubted:
            is_done = written.is_last and not written.is_wrong
            column.say(written.line.work)
            column.say(" no" if written.is_wrong else " ok", Target.DECISION)
            column.say("" if is_done else "\n")
    column.add([token_id(tokenizer, ANSWER)])
    column.say(task.reply)
    column.add([token_id(tokenizer, END)])
    tokens_RC = np.array(column.tokens, TOKEN_DTYPE)[:, None]
    targets_RC = np.array(column.targets, np.uint8)[:, None]
    return Conversation(tokens_RC, targets_RC, (task,), tuple(planted))


def _think(column: _Column, written: Written) -> None:
    said = column.ids(written.text + written.stop)
    if written.is_wrong:
        _, _, same = written.parting(column.ids)
        column.add(said[:same])
        column.add(said[same:], Target.NONE)
        return
    num_deciding = len(column.ids(str(written.line.step))) if written.line.step else 0
    column.add(said[:num_deciding], Target.DECISION)
    column.add(said[num_deciding:-1])
    column.add(said[-1:], Target.DECISION)
