"""`motet data verify`: what is wrong with a dataset."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motet.cli.data.attempting import following
from motet.cli.data.findings import keep_the_rest, show, write_findings
from motet.cli.data.reading import RayReadersOption, ReadersOption, readers
from motet.cli.json_line import json_line
from motet.errors import DataError, SettingError

if TYPE_CHECKING:
    from motet.corpora.judge import Place
    from motet.data.conversations import Conversations
    from motet.data.table import Table
    from motet.data.verify.finding import Finding
    from motet.data.verify.running import Report

API_KEY = "OPENAI_API_KEY"
_LOOKED_AT, _JUDGE, _RESULT = "What is looked at", "A judge", "The result"
_TRIES_EACH = 4


def verify(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Tables, or grids with --model.")
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Whose tokenizer made the grids.", show_default=False),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_LOOKED_AT, show_default="all",
            help="causality, arithmetic, duplicates, overlap. Repeatable.",
        ),
    ] = None,
    lag: Annotated[
        int,
        typer.Option(min=1, rich_help_panel=_LOOKED_AT, help="Rows until other channels know."),
    ] = 2,
    similarity: Annotated[
        float,
        typer.Option(
            min=0.01, max=1, rich_help_panel=_LOOKED_AT,
            help="Share of common runs of 5 words from which on two are near duplicates.",
        ),
    ] = 0.8,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_LOOKED_AT, show_default="none",
            help="An evaluation set that nothing may repeat: JSONL or lines of text. Repeatable.",
        ),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", rich_help_panel=_LOOKED_AT, help="Of its text in each object.",
            show_default="question, problem, prompt, text or input",
        ),
    ] = None,
    ngram: Annotated[
        int,
        typer.Option(min=5, rich_help_panel=_LOOKED_AT, help="Words in a row that are an overlap."),
    ] = 13,
    mask_numbers: Annotated[
        bool,
        typer.Option(
            "--mask-numbers", rich_help_panel=_LOOKED_AT,
            help="Take all numbers for the same word: problems with other numbers overlap too.",
        ),
    ] = False,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="URL", rich_help_panel=_JUDGE, show_default="none",
            help="An OpenAI-compatible server that judges causality by what is meant.",
        ),
    ] = None,
    judge_model: Annotated[
        str | None, typer.Option(metavar="NAME", rich_help_panel=_JUDGE, show_default=False)
    ] = None,
    judge_num: Annotated[
        int,
        typer.Option(
            min=1, rich_help_panel=_JUDGE, help="Conversations to judge, those without a fault "
            "so far, evenly over the dataset.",
        ),
    ] = 100,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, rich_help_panel=_JUDGE)] = 8,
    api_key_env: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_JUDGE)] = API_KEY,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_RESULT, help="Write every finding, a JSON line each.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT", rich_help_panel=_RESULT, show_default=False,
            help="Write the conversations without a fault as a dataset.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", rich_help_panel=_RESULT, help="Fail if there is any fault."),
    ] = False,
    processes: ReadersOption = 1,
    ray: RayReadersOption = None,
) -> None:  # fmt: skip
    """Check that nothing is known too early, sums are right, nothing repeats, no test leaks in.

    Ends with one line of JSON. What is no fault but worth knowing is listed too, and is kept.
    """
    from motet.data.conversations import Conversations
    from motet.data.verify.finding import Check
    from motet.data.verify.running import Plan, verify
    from motet.data.verify.summary import summary_json

    if judge is not None and judge_model is None:
        raise SettingError("--judge-model", expected="the name of the judge", got="none")
    mechanical = tuple(one for one in Check if one is not Check.JUDGE)
    if alien := set(check or ()) - set(mechanical):
        raise SettingError(
            "--check", expected=" or ".join(mechanical), got=", ".join(sorted(alien))
        )
    asked = tuple(one for one in mechanical if not check or one in check)
    if not against:
        asked = tuple(one for one in asked if one is not Check.OVERLAP)
        if check and Check.OVERLAP in check:
            raise SettingError("--check overlap", expected="--against FILE", got="none")
    conversations = Conversations(dataset, model)
    plan = Plan(asked, lag, similarity, tuple(against or ()), field, ngram, mask_numbers)
    conversations.check()
    with following("checking shards", conversations.num_shards, 0) as say:
        found = verify(
            conversations, plan, each=readers(processes, ray),
            advance=lambda shards, number: say(shards, f"{number:,} conversations"),
        )  # fmt: skip
    num_judged = 0
    if judge is not None and judge_model is not None:
        at = _Bench(judge, judge_model, os.environ.get(api_key_env) or None, concurrency)
        num_judged = asyncio.run(_judge(conversations, found, lag, at, judge_num))
    if report is not None:
        write_findings(found.findings, report)
    show(found, str(dataset))
    facts = summary_json(found, plan)
    if judge is not None:
        facts["judge"] = {"model": judge_model, "num_judged": num_judged}
    if keep is not None:
        decided = {"plan": plan.to_json(), "judge": judge_model}
        keep_the_rest(conversations, found, keep, decided, processes, ray)
    typer.echo(json_line({"dataset": str(dataset), **facts}))
    if strict and found.num_faulty:
        raise DataError(
            str(dataset), expected="no faults", got=f"{found.num_faulty} conversations with one"
        )


@dataclass(frozen=True)
class _Bench:
    """Where the judge sits."""

    url: str
    model: str
    api_key: str | None
    concurrency: int


async def _judge(
    conversations: Conversations, report: Report, lag: int, at: _Bench, most: int
) -> int:
    """Ask the judge about conversations without a fault, and take down what it finds."""
    from motet.corpora.asking import Asker
    from motet.corpora.budget import Budget
    from motet.corpora.cache import AnswerCache, answers_folder
    from motet.corpora.endpoint import Endpoint
    from motet.corpora.judge import judge_tables

    num_clean = report.num_conversations - report.num_faulty
    num_judged = min(most, num_clean)
    chosen = _evenly(conversations, report, num_clean, num_judged)
    asker = Asker(
        Endpoint(at.url, at.model, at.api_key),
        cache=AnswerCache(answers_folder()),
        budget=Budget(max_requests=_TRIES_EACH * num_judged),
        concurrency=at.concurrency,
    )
    found: list[tuple[Place, list[Finding]]] = []
    with following("judging", num_judged, 0) as say:
        async with asker:
            verdicts = judge_tables(asker, chosen, at_once=at.concurrency, lag=lag)
            async for verdict in verdicts:
                found.append(verdict)
                say(len(found), f"{asker.budget.spent.requests:,} requests")
    for (shard, place), findings in sorted(found, key=lambda one: one[0]):
        report.add(shard, place, findings)
    return num_judged


def _evenly(
    conversations: Conversations, report: Report, num_clean: int, num_wanted: int
) -> Iterator[tuple[Place, Table]]:
    """`num_wanted` of the conversations without a fault, evenly over the dataset."""
    number = 0
    for shard in range(conversations.num_shards):
        faulty = report.faulty.get(shard, set())
        for place, table in enumerate(conversations.tables(shard)):
            if place in faulty:
                continue
            if number * num_wanted // num_clean < (number + 1) * num_wanted // num_clean:
                yield (shard, place), table
            number += 1
