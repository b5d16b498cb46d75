"""Rollouts of a multi-stream teacher that came to the right answer.

    questions x samples --> teacher, many at once --> judged --> attempts file --> dataset

The seed of a rollout depends on its question and sample alone, so what is kept is the same whatever
shared the batch and however often the work was interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from motet.corpora.attempts import Attempt, Attempts
from motet.corpora.keeper import Keeper
from motet.corpora.rollout import Left, attempt_of, refusal
from motet.data.dataset import Description, MadeBy
from motet.errors import InputError
from motet.eval.questions.asking import Hear, Refused
from motet.eval.questions.trial import Ask, Said

__all__ = ["Teacher", "chosen", "collect", "distill"]


class Teacher(Protocol):
    """Something that answers; see `motet.eval.questions.asking.EngineAsker`."""

    def ask(self, asks: Sequence[Ask], hear: Hear, at_once: int, refused: Refused | None) -> None:
        """Ask everything, `at_once` at a time; tell what came of each, or why it can't be asked."""
        ...


def distill(
    teacher: Teacher,
    name: str,
    asks: Sequence[Ask],
    attempts: Attempts,
    keeper: Keeper,
    *,
    at_once: int,
    must_be_sound: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Ask what has no attempt yet. asks: all there are; the place of each is its number.

    must_be_sound: see `motet.corpora.rollout.attempt_of`.
    """
    numbers = {(ask.question.id, ask.sample): number for number, ask in enumerate(asks)}

    def add(attempt: Attempt) -> None:
        attempts.add(attempt)
        advance()

    def hear(ask: Ask, said: Said) -> None:
        number = numbers[ask.question.id, ask.sample]
        add(attempt_of(number, ask, said, name, keeper, must_be_sound=must_be_sound))

    def refused(ask: Ask, error: InputError) -> None:
        add(refusal(numbers[ask.question.id, ask.sample], ask, str(error)))

    missing = [ask for number, ask in enumerate(asks) if number not in attempts]
    if missing:
        teacher.ask(missing, hear, min(at_once, len(missing)), refused)


def chosen(attempts: Attempts, most_each: int | None = None) -> tuple[list[int], Counter[str]]:
    """The rollouts that become conversations, and how many that were right do not, by reason.

    Of those of one question that are the same cell by cell, the first is taken. most_each: of one
    question; None for all.
    """
    facts = dict(attempts.facts())
    numbers: list[int] = []
    left_out: Counter[str] = Counter()
    seen: set[tuple[object, str]] = set()
    num_of: Counter[object] = Counter()
    for number in attempts.kept_numbers():
        question, cells = facts[number]["question_id"], facts[number]["cells_sha256"]
        if (question, cells) in seen:
            left_out[Left.DUPLICATE.value] += 1
        elif most_each is not None and num_of[question] >= most_each:
            left_out[Left.ENOUGH.value] += 1
        else:
            numbers.append(number)
            num_of[question] += 1
            seen.add((question, cells))
    return numbers, left_out


def collect(
    attempts: Attempts, keeper: Keeper, path: Path, made_by: MadeBy, most_each: int | None = None
) -> Description:
    """Write the dataset; InputError if nothing was kept, DataError if `path` holds another."""
    numbers, left_out = chosen(attempts, most_each)
    if not numbers:
        raise InputError(
            "rollouts", expected="at least one that is right and ends by itself", got="none",
            fix=f"see {attempts.path} for what was said",
        )  # fmt: skip
    return keeper.collect(attempts, numbers, left_out, path, made_by)
