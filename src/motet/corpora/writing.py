"""One conversation: asked for, read, checked; if it is wrong, asked for again, then dropped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jinja2

from motet.corpora.acceptance import check_conversation
from motet.corpora.asking import Answer, Asker, RefusedError
from motet.corpora.attempts import KEPT, Attempt
from motet.corpora.budget import BudgetSpentError, Spending
from motet.corpora.dropping import MEANINGS, Dropped, DroppedError
from motet.corpora.plan import AGAIN, Task
from motet.corpora.prompt import packaged_text
from motet.corpora.sound import check_planted, check_sound
from motet.corpora.written import Written, read_written
from motet.data.table import Table

__all__ = ["Unfinished", "write_conversation"]

_CUT = ("length",)
_REFUSALS = ("refusal", "content_filter")
_IN_VAIN = (Dropped.REFUSED,)
"""What asking again does not change."""


@dataclass
class _Facts:
    """What is counted of an attempt."""

    prompt: str
    num_answers: int = 0
    spending: Spending = field(default_factory=Spending)

    def to_json(self) -> dict[str, Any]:
        counts = {"prompt": self.prompt, "answers": self.num_answers}
        return counts | self.spending.to_json()


@dataclass(frozen=True)
class Unfinished:
    """A task that the budget did not suffice for; what it has cost by then."""

    spending: Spending


async def write_conversation(asker: Asker, task: Task, num_mends: int) -> Attempt | Unfinished:
    """What comes of one task. Raises ServerError as `Asker.ask` does."""
    facts = _Facts(task.prompt.label)
    messages = list(task.messages)
    for mends_left in range(num_mends, -1, -1):
        try:
            answer = await asker.ask(messages, task.wish)
        except RefusedError as refused:
            facts.spending += Spending(requests=1)
            return Attempt(task.number, Dropped.NOT_TAKEN, str(refused), facts.to_json())
        except BudgetSpentError:
            return Unfinished(facts.spending)
        facts.num_answers += 1
        facts.spending += answer.spending
        try:
            written = _read(answer, task)
            table = _table(task, written, asker.endpoint.model, facts.num_answers)
            planting = task.prompt.file.planting
            if planting is not None and task.values[planting.slot]:
                table = check_planted(table, planting.channel)
            else:
                check_sound(table)
        except DroppedError as dropped:
            if not mends_left or not answer.text.strip() or dropped.reason in _IN_VAIN:
                return Attempt(task.number, dropped.reason, dropped.detail, facts.to_json())
            messages += [
                {"role": "assistant", "content": answer.text},
                {"role": "user", "content": _again(dropped)},
            ]
        else:
            mended = {"repairs": list(written.repairs)}
            return Attempt(task.number, KEPT, "", facts.to_json() | mended, table.to_json())
    raise AssertionError("the last attempt returns")


def _read(answer: Answer, task: Task) -> Written:
    """The rows of an answer that can be kept, else DroppedError."""
    if answer.finish in _REFUSALS:
        raise DroppedError(Dropped.REFUSED, answer.text[:60] or answer.finish)
    if answer.finish in _CUT:
        raise DroppedError(Dropped.CUT_OFF, f"after {task.wish.max_tokens} tokens")
    written = read_written(answer.text, [channel.name for channel in task.prompt.channels])
    question = task.question
    check_conversation(
        written.rows,
        task.prompt,
        None if question is None else question.text,
        None if question is None else question.answer,
    )
    return written


def _again(dropped: DroppedError) -> str:
    template = jinja2.Template(packaged_text(AGAIN), undefined=jinja2.StrictUndefined)
    text: str = template.render(meaning=MEANINGS[dropped.reason], detail=dropped.detail)
    return text.strip()


def _table(task: Task, written: Written, model: str, num_answers: int) -> Table:
    meta: dict[str, Any] = {
        "source": "synthesize",
        "model": model,
        "prompt": task.prompt.label,
        "repairs": list(written.repairs),
        "answers": num_answers,
    }
    if task.question is None:
        meta["values"] = task.values
    else:
        meta |= {
            "question_id": task.question.id,
            "question": task.question.text,
            "answer": task.question.answer,
        }
    return Table(
        f"{task.prompt.file.name}-{task.number:06d}", task.prompt.channels, written.rows, meta
    )
