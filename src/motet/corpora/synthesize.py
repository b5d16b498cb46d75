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
    is_spent = False
    try:
        while True:
            while (
                not is_spent
                and len(running) < min(concurrency, num_wanted - attempts.num_kept)
                and (number := next(numbers, None)) is not None
            ):
                work = write_conversation(asker, plan.task(number), plan.num_mends)
                running.add(asyncio.create_task(work))
            if not running:
                return asker.budget.error() if is_spent else None
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                made = task.result()
                if isinstance(made, Unfinished):
                    attempts.add_cost(made.spending.to_json())
                    is_spent = True
                else:
                    attempts.add(made)
                    advance(made)
            _check_taken(asker, attempts)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


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


def _check_taken(asker: Asker, attempts: Attempts) -> None:
    """ServerError if the server has refused everything so far: it will refuse the rest."""
    num_refused = attempts.outcomes[Dropped.NOT_TAKEN]
    if num_refused == attempts.num_made >= _REFUSED_FROM_THE_START:
        raise ServerError(
            asker.endpoint.url, expected="some requests to be taken",
            got=f"all {num_refused} refused, see {attempts.path.name}",
        )  # fmt: skip
