"""What is to be written: conversation number i, as a function of the plan and i alone.

Whoever works on it, in whatever order and however often it is interrupted, asks the same things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from motet.corpora.asking import Message, Wish
from motet.corpora.endpoint import Endpoint
from motet.corpora.prompt import Prompt, packaged_text
from motet.data.dice import Dice
from motet.errors import SettingError
from motet.eval.questions.question import Question
from motet.streams.layout import Channel

__all__ = ["AGAIN", "Plan", "Task"]

AGAIN = "again.v1.txt"
"""What a model is told that is to write a conversation once more."""


@dataclass(frozen=True)
class Task:
    """One conversation to be written. values: what the places of the prompt were filled with."""

    number: int
    prompt: Prompt
    values: dict[str, str]
    question: Question | None
    messages: tuple[Message, ...]
    wish: Wish


@dataclass(frozen=True)
class Plan:
    """How conversations are asked for.

    prompts: with weights, the shares in which they are used. wish: its seed is set for each
    conversation if sends_seed. questions: what the User asks, one conversation each, in order;
    None leaves that to the model. num_mends: how often a model is told what was wrong and asked
    again.
    """

    prompts: tuple[tuple[Prompt, float], ...]
    wish: Wish
    seed: int = 0
    sends_seed: bool = True
    questions: tuple[Question, ...] | None = None
    num_mends: int = 1

    def __post_init__(self) -> None:
        if not self.prompts:
            raise SettingError("prompt", expected="at least one", got="none")
        labels = [prompt.label for prompt, _ in self.prompts]
        if len(set(labels)) < len(labels):
            raise SettingError("prompt", expected="each one once", got=", ".join(labels))
        for prompt, weight in self.prompts:
            if not 0 < weight < float("inf"):
                raise SettingError(f"weight of {prompt.label}", expected="more than 0", got=weight)
            if prompt.channels != self.channels:
                raise SettingError(
                    f"channels of {prompt.label}", expected=_names(self.channels),
                    got=_names(prompt.channels),
                )  # fmt: skip
            if self.questions is not None and not prompt.file.takes_question:
                raise SettingError(
                    f"prompt {prompt.label}", expected="one that takes questions", got="none"
                )

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the conversations."""
        return self.prompts[0][0].channels

    def task(self, number: int) -> Task:
        """Conversation number `number` (from 0)."""
        dice = Dice("synthesize", self.seed, number)
        prompt = self._prompt(dice)
        values = prompt.draw(dice)
        question = None if self.questions is None else self.questions[number]
        messages = prompt.messages(
            values,
            None if question is None else question.text,
            None if question is None else question.answer,
        )
        seed = dice.integer(0, 2**31 - 1)
        told = {"seed": seed} if self.sends_seed else {"nth": number}
        wish = replace(self.wish, **told)
        return Task(number, prompt, values, question, messages, wish)

    def made_as(self, endpoint: Endpoint) -> dict[str, Any]:
        """All that decides what conversation number i is, as JSON values; not how many there are.

        questions: a digest of each one would not say more than that of all that come first, so
        their number counts as well.
        """
        return {
            "url": endpoint.url,
            "model": endpoint.model,
            "prompts": self.sources,
            "wish": self.wish.fields(endpoint),
            "sends_seed": self.sends_seed,
            "seed": self.seed,
            "questions": None if self.questions is None else _digest(self.questions),
            "num_mends": self.num_mends,
            "again": hashlib.sha256(packaged_text(AGAIN).encode()).hexdigest(),
        }

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The prompts, so that their text can be found again."""
        return [
            {"prompt": prompt.label, "weight": weight, "sha256": prompt.digest}
            for prompt, weight in self.prompts
        ]

    def _prompt(self, dice: Dice) -> Prompt:
        """One of the prompts, by weight."""
        rest = dice.integer(0, 2**32 - 1) / 2**32 * sum(weight for _, weight in self.prompts)
        for prompt, weight in self.prompts:
            rest -= weight
            if rest < 0:
                return prompt
        return self.prompts[-1][0]


def _names(channels: Sequence[Channel]) -> str:
    return ", ".join(f"{channel.name} ({channel.role.value})" for channel in channels)


def _digest(questions: Sequence[Question]) -> str:
    digest = hashlib.sha256()
    for question in questions:
        digest.update(f"{question.id!r}\0{question.text}\0{question.answer}\1".encode())
    return digest.hexdigest()
