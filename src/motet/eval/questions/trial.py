"""One question asked once: what was said, how long it took, and what became of it.

`Ask` is what is to be done, `Said` what came back, `Trial` both and the judgement: a line of the
file of results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from motet.engine import StopReason
from motet.errors import InputError
from motet.eval.questions.judging import Outcome, judge
from motet.eval.questions.question import Identifier, Question
from motet.protocol.row import Row

__all__ = ["Ask", "Said", "Trial", "Voice", "asks_of", "trial_of"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to be asked for the `sample`-th time. text: what the model reads."""

    question: Question
    sample: int
    seed: int
    text: str


@dataclass(frozen=True, slots=True)
class Voice:
    """What one sampled channel did. num_spoken: rows in which it spoke (its end tokens, too).

    first_row, last_row: the first and the last of them; None if it said nothing.
    """

    num_spoken: int
    first_row: int | None
    last_row: int | None


@dataclass(frozen=True, slots=True)
class Said:
    """What a model made of an ask. Rows are None where a server does not tell them.

    reply: the visible text that is judged. num_rows: all of them, the question's included.
    question_row: the last one that read the question. reply_row: the first that says something of
    the reply. rows: all of them as they came.
    """

    channels: dict[str, str]
    reply: str
    stopped_by: str
    num_rows: int | None = None
    question_row: int | None = None
    reply_row: int | None = None
    voices: dict[str, Voice] | None = None
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """A line of the results. wait_rows: from the end of the question to the first row of the reply.

    A reply that begins in the next row has waited 1; the first row of Output that can know the
    last token of the User is 2 away; less than 1 means that the model did not wait.
    """

    id: Identifier
    sample: int
    seed: int
    gold: str
    outcome: Outcome
    answer: str | None
    channels: dict[str, str]
    stopped_by: str
    num_rows: int | None
    wait_rows: int | None
    voices: dict[str, Voice] | None

    @property
    def is_right(self) -> bool:
        """Whether the answer is right."""
        return self.outcome is Outcome.RIGHT

    @property
    def ended(self) -> bool:
        """Whether the model ended by itself."""
        return self.stopped_by == StopReason.END

    def to_json(self) -> dict[str, Any]:
        """The line as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object, where: str) -> Trial:
        """What `to_json` wrote; InputError, naming `where`, for anything else."""
        try:
            if not isinstance(data, dict):
                raise TypeError(f"{type(data).__name__} in place of an object")
            values = dict(data)
            values["outcome"] = Outcome(values["outcome"])
            if values["voices"] is not None:
                values["voices"] = {n: Voice(**v) for n, v in values["voices"].items()}
            trial = cls(**values)
            trial._check()
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise InputError(
                where, expected="a result of motet eval", got=error, fix="give another --output"
            ) from None
        return trial

    def _check(self) -> None:
        texts = (self.gold, self.stopped_by, *self.channels, *self.channels.values())
        counts = (self.sample, self.seed)
        if not isinstance(self.id, str | int) or not all(isinstance(t, str) for t in texts):
            raise TypeError("values of other types")
        if not all(isinstance(count, int) for count in counts):
            raise TypeError("values of other types")


def asks_of(
    questions: Sequence[Question], num_samples: int, seed: int, prompt: str = "{question}"
) -> list[Ask]:
    """Every question `num_samples` times. prompt: what to ask, with `{question}` in it.

    The seed of an ask depends on the seed, the question's id and the sample alone, so that a
    sample is the same whatever else is asked.
    """
    return [
        Ask(question, sample, _seed(seed, question.id, sample),
            prompt.replace("{question}", question.text))
        for question in questions
        for sample in range(num_samples)
    ]  # fmt: skip


def trial_of(ask: Ask, said: Said) -> Trial:
    """Judge what was said."""
    judged = judge(said.reply, ask.question.answer, ended=said.stopped_by == StopReason.END)
    is_known = said.reply_row is not None and said.question_row is not None
    return Trial(
        id=ask.question.id,
        sample=ask.sample,
        seed=ask.seed,
        gold=ask.question.answer,
        outcome=judged.outcome,
        answer=judged.answer,
        channels=said.channels,
        stopped_by=said.stopped_by,
        num_rows=said.num_rows,
        wait_rows=(said.reply_row or 0) - (said.question_row or 0) if is_known else None,
        voices=said.voices,
    )


def _seed(seed: int, id_: Identifier, sample: int) -> int:
    digest = hashlib.blake2b(f"{seed}/{id_!r}/{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
