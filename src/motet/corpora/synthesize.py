"""Conversations that a language model writes, many at once, into a dataset of tables.

    number i --> task --> asked, read, checked --> attempts file --> first N kept --> tables

A number begins only while the conversations that are kept and those that are being written are
fewer than are wanted. So exactly as many numbers are begun as it takes, in order, and the dataset
is the same whatever the concurrency was and however often the work was interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

from motet.corpora.asking import Asker
from motet.corpora.attempts import Attempt, Attempts
from motet.corpora.budget import BudgetSpentError, Spending
from motet.corpora.collecting import write_dataset
from motet.corpora.dropping import Dropped
from motet.corpora.plan import Plan
from motet.corpora.writing import Unfinished, write_conversation
from motet.data.building import Written
from motet.data.dataset import MadeBy, TableDescription
from motet.data.table import Table
from motet.data.tables import table_description, write_tables
from motet.errors import ServerError

__all__ = ["collect", "spent_before", "synthesize"]

_REFUSED_FROM_THE_START = 3
Advance = Callable[[Attempt], None]


def spent_before(attempts: Attempts) -> Spending:
    """What the attempts in the file have cost, those that the budget cut short included.

    Requests that were running when a process was killed are not known.
    """
    costs = [*(facts for _, facts in attempts.facts()), *attempts.costs]
    return sum(map(Spending.from_json, costs), Spending())


async def synthesize(
    asker: Asker,
    plan: Plan,
    attempts: Attempts,
    num_wanted: int,
    *,
    concurrency: int,
    advance: Advance = lambda _: None,
) -> BudgetSpentError | None:
    """Make attempts until `num_wanted` are kept, or questions or budget end.

    Returns what the budget said if it ended the work; what was begun by then is finished first.
    ServerError if the server goes away or takes no request at all.
    """
    numbers = _numbers(plan, attempts)
    running: set[asyncio.Task[Attempt | Unfinished]] = set()
    book = _Book(attempts, advance)
    try:
        while True:
            while (
                not book.is_spent
                and len(running) < min(concurrency, num_wanted - attempts.num_kept)
                and (number := next(numbers, None)) is not None
            ):
                work = write_conversation(asker, plan.task(number), plan.num_mends)
                running.add(asyncio.create_task(work))
            if not running:
                book.close()
                return asker.budget.error() if book.is_spent else None
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda task: task.exception() is not None):
                book.enter(task.result())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Book:
    """Enters what comes of tasks into the attempts.

    While the server has taken nothing at all, its refusals are no attempts yet: if there are three
    it will refuse the rest, and whoever mends that wants these conversations too. is_spent: a task
    was cut short by the budget.
    """

    def __init__(self, attempts: Attempts, advance: Advance) -> None:
        self._attempts = attempts
        self._advance = advance
        self._refused: list[Attempt] = []
        self.is_spent = False

    def enter(self, made: Attempt | Unfinished) -> None:
        """Keep what came of a task; ServerError if the server takes nothing."""
        if isinstance(made, Unfinished):
            self._attempts.add_cost(made.spending.to_json())
            self.is_spent = True
        elif made.outcome == Dropped.NOT_TAKEN and self._attempts.num_made == 0:
            self._refused.append(made)
            if len(self._refused) == _REFUSED_FROM_THE_START:
                for attempt in self._refused:
                    self._attempts.add_cost(Spending.from_json(attempt.facts).to_json())
                raise ServerError(
                    "server", expected="requests to be taken",
                    got=f"{len(self._refused)} refused, the last one by {made.detail}",
                )  # fmt: skip
        else:
            self._add(made)
            self.close()

    def close(self) -> None:
        """The refusals so far are attempts after all."""
        while self._refused:
            self._add(self._refused.pop())

    def _add(self, attempt: Attempt) -> None:
        self._attempts.add(attempt)
        self._advance(attempt)


def collect(
    attempts: Attempts, plan: Plan, path: Path, made_by: MadeBy, num_wanted: int
) -> TableDescription:
    """Write the first `num_wanted` kept conversations to the dataset at `path`.

    DataError if `path` holds something else.
    """

    def write(file: BinaryIO, kept: Iterator[Attempt]) -> Written:
        tables = (
            Table.from_json(one.kept, plan.channels, f"{attempts.path}: attempt {one.number}")
            for one in kept
        )
        return write_tables(file, tables)

    description = table_description(plan.channels, made_by)
    numbers = attempts.kept_numbers()[:num_wanted]
    return write_dataset(path, description, attempts, numbers, write)


def _numbers(plan: Plan, attempts: Attempts) -> Iterator[int]:
    """Numbers of conversations that were not attempted yet, in order."""
    all_there_are = count() if plan.questions is None else range(len(plan.questions))
    return (number for number in all_there_are if number not in attempts)
