"""A language model as judge of causality: does a cell use words that are only said later?

For what numbers and names do not tell (`motet.data.verify.causality`). The judge reads numbered
rows and answers with cells. An answer that is no verdict, or names a cell that does not exist, is
none at all (`unjudged`): nothing is guessed. The prompt is a versioned file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated

import jinja2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.corpora.asking import Asker, Message, RefusedError, Wish
from motet.corpora.prompt import packaged_text
from motet.data.table import Table
from motet.data.verify.causality import LAG
from motet.data.verify.finding import Check, Finding
from motet.streams.layout import Role

__all__ = ["PROMPT", "WISH", "judge_tables", "messages_of", "verdict_of"]

PROMPT = "judge.v1.txt"
WISH = Wish(max_tokens=1_024, temperature=0.0)
_MOST_SHOWN = 120

Place = tuple[int, int]
"""Which shard, and which conversation in it."""


class _Foresight(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    row: Annotated[int, Field(ge=0)]
    channel: str
    uses: str = ""


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    foresight: tuple[_Foresight, ...]


async def judge_tables(
    asker: Asker,
    tables: Iterable[tuple[Place, Table]],
    *,
    at_once: int,
    lag: int = LAG,
) -> AsyncIterator[tuple[Place, list[Finding]]]:
    """What the judge finds in each conversation, as the answers come, `at_once` in flight.

    BudgetSpentError and ServerError end it; what was answered is in the asker's cache.
    """
    waiting = iter(tables)
    running: set[asyncio.Task[tuple[Place, list[Finding]]]] = set()
    try:
        while True:
            while len(running) < at_once and (following := next(waiting, None)) is not None:
                running.add(asyncio.create_task(_judge(asker, *following, lag)))
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                verdict = task.result()
                running.remove(task)
                yield verdict
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _judge(asker: Asker, place: Place, table: Table, lag: int) -> tuple[Place, list[Finding]]:
    try:
        answer = await asker.ask(messages_of(table, lag), WISH)
    except RefusedError as error:
        return place, [_unjudged(table, str(error))]
    return place, verdict_of(answer.text, table)


def messages_of(table: Table, lag: int = LAG) -> tuple[Message, ...]:
    """What the judge is told: the rule, then the rows."""
    names = [channel.name for channel in table.channels]
    system = jinja2.Template(packaged_text(PROMPT), undefined=jinja2.StrictUndefined).render(
        inputs=_listed(table, {Role.INPUT}), sampled=_listed(table, {Role.OUTPUT, Role.THOUGHT}),
        lag=lag,
    )  # fmt: skip
    rows = (
        {name: cell.text for name, cell in zip(names, row, strict=True) if cell is not None}
        for row in table.rows
    )
    lines = (f"{number} {json.dumps(row, ensure_ascii=False)}" for number, row in enumerate(rows))
    return ({"role": "system", "content": system}, {"role": "user", "content": "\n".join(lines)})


def verdict_of(answer: str, table: Table) -> list[Finding]:
    """The cells that an answer names; one finding `unjudged` if it is no verdict on this table."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        verdict = _Verdict.model_validate_json(answer[start : end + 1] if start >= 0 else "")
    except ValidationError:
        return [_unjudged(table, answer)]
    names = [channel.name for channel in table.channels]
    findings = []
    for one in verdict.foresight:
        is_there = (
            one.channel in names
            and one.row < table.num_rows
            and table.channels[names.index(one.channel)].role is not Role.INPUT
            and table.rows[one.row][names.index(one.channel)] is not None
        )
        if not is_there:
            return [_unjudged(table, f"no cell {one.channel} in row {one.row}")]
        what = f"uses {one.uses[:_MOST_SHOWN]!r}, says the judge"
        findings.append(Finding(Check.JUDGE, "foresight", table.id, what, one.channel, one.row))
    return findings


def _unjudged(table: Table, said: str) -> Finding:
    what = f"no verdict: {said[:_MOST_SHOWN]!r}"
    return Finding(Check.JUDGE, "unjudged", table.id, what, is_fault=False)


def _listed(table: Table, roles: Sequence[Role] | set[Role]) -> str:
    return ", ".join(channel.name for channel in table.channels if channel.role in roles)
