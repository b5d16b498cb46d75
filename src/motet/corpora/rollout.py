"""What a teacher did with one question: kept if it was right and ended by itself, else why not."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import numpy as np

from motet.corpora.attempts import KEPT, Attempt
from motet.corpora.dropping import Dropped, DroppedError
from motet.corpora.keeper import Keeper
from motet.corpora.sound import check_sound
from motet.eval.questions.judging import Outcome
from motet.eval.questions.trial import Ask, Said, trial_of
from motet.streams.grid import TOKEN_DTYPE

__all__ = ["LEFT_OUT", "Left", "attempt_of", "refusal"]


class Left(StrEnum):
    """Why a rollout is left out; `LEFT_OUT` says each in a few words."""

    WRONG = Outcome.WRONG.value
    UNPARSABLE = Outcome.UNPARSABLE.value
    MUTE = Outcome.MUTE.value
    ENDLESS = Outcome.ENDLESS.value
    WRONG_SUM = Dropped.WRONG_SUM.value
    FORESEEN = Dropped.FORESEEN.value
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    ENOUGH = "enough"


LEFT_OUT = {
    Left.WRONG: "another answer than the right one",
    Left.UNPARSABLE: "no answer of the kind that was asked for",
    Left.MUTE: "Output said nothing",
    Left.ENDLESS: "it did not end by itself",
    Left.WRONG_SUM: "right, but a calculation on the way is wrong",
    Left.FORESEEN: "right, but something is said before it can be known",
    Left.TOO_LONG: "the teacher can't be asked this question",
    Left.DUPLICATE: "right, but the same cells as an earlier sample of the question",
    Left.ENOUGH: "right, but there were enough of its question",
}


def attempt_of(
    number: int, ask: Ask, said: Said, teacher: str, keeper: Keeper, *, must_be_sound: bool = False
) -> Attempt:
    """What came of asking a question once.

    must_be_sound: what is said on the way to the answer must be able to be true as well.
    """
    trial = trial_of(ask, said)
    facts: dict[str, Any] = {
        "question_id": ask.question.id,
        "sample": ask.sample,
        "rows": trial.num_rows,
        "stopped_by": trial.stopped_by,
        "answer": trial.answer,
    }
    if not (trial.is_right and trial.ended):
        outcome = Left.ENDLESS if trial.is_right else Left(trial.outcome.value)
        detail = f"{trial.answer}, not {ask.question.answer}" if outcome is Left.WRONG else ""
        return Attempt(number, outcome.value, detail, facts)
    cells = np.array([row.token_ids for row in said.rows], TOKEN_DTYPE)
    facts["cells_sha256"] = hashlib.sha256(cells.tobytes()).hexdigest()
    meta = {
        "source": "distill",
        "teacher": teacher,
        "question_id": ask.question.id,
        "question": ask.question.text,
        "answer": ask.question.answer,
        "sample": ask.sample,
        "seed": ask.seed,
    }
    kept = keeper.keep(f"rollout-{number:06d}", said.rows, meta)
    if must_be_sound:
        try:
            check_sound(keeper.table(kept, ask.question.where))
        except DroppedError as dropped:
            return Attempt(number, Left(dropped.reason.value).value, dropped.detail, facts)
    return Attempt(number, KEPT, "", facts, kept)


def refusal(number: int, ask: Ask, why: str) -> Attempt:
    """What comes of a question that the teacher can't be asked."""
    facts = {"question_id": ask.question.id, "sample": ask.sample}
    return Attempt(number, Left.TOO_LONG.value, why, facts)
