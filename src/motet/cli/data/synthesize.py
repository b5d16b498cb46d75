"""`motet data synthesize`: a language model behind a URL writes conversations as tables."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motet.cli.data.attempting import Say, following, show_outcomes
from motet.cli.data.making import TargetArgument
from motet.cli.json_line import json_line
from motet.errors import InputError, SettingError
from motet.protocol.printable import printable

if TYPE_CHECKING:
    from motet.corpora.attempts import Attempt, Attempts
    from motet.corpora.budget import BudgetSpentError, Spending
    from motet.corpora.endpoint import Endpoint
    from motet.corpora.plan import Plan
    from motet.corpora.prompt import Prompt

API_KEY = "OPENAI_API_KEY"
_LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
_REQUESTS_EACH = 4
_ASKING, _DRAWING, _LIMITS = "What is asked", "How it is answered", "Limits"


def synthesize(
    target: TargetArgument,
    url: Annotated[
        str, typer.Option(metavar="URL", help="An OpenAI-compatible server: http://host:port/v1.")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="What the server calls the model.")],
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=WEIGHT]", rich_help_panel=_ASKING, show_default="problem",
            help="problem, talk, interruption; a version of one, as problem@1; or a .toml file. "
            "Repeatable: with weights, the shares in which they are used.",
        ),
    ] = None,
    num_conversations: Annotated[
        int | None,
        typer.Option(
            "--num", min=1, rich_help_panel=_ASKING, help="How many are kept.",
            show_default="100, or one for each question",
        ),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=_ASKING,
            help="JSONL of questions with answers that the User is to ask, one conversation each.",
        ),
    ] = None,
    question_field: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=_ASKING)
    ] = "question",
    answer_field: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_ASKING)] = "answer",
    mends: Annotated[
        int,
        typer.Option(
            min=0, rich_help_panel=_ASKING,
            help="Times that the model is told what is wrong with its answer and asked again.",
        ),
    ] = 1,
    seed: Annotated[
        int, typer.Option(min=0, rich_help_panel=_DRAWING, help="Of the prompts and the answers.")
    ] = 0,
    no_seed: Annotated[
        bool,
        typer.Option("--no-seed", rich_help_panel=_DRAWING, help="For servers that refuse `seed`."),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(min=0, rich_help_panel=_DRAWING, show_default="the server's own"),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(min=0, max=1, rich_help_panel=_DRAWING, show_default="the server's own"),
    ] = None,
    max_answer: Annotated[
        int, typer.Option(min=1, rich_help_panel=_DRAWING, help="Tokens of an answer at most.")
    ] = 4096,
    length_field: Annotated[
        str,
        typer.Option(
            metavar="NAME", rich_help_panel=_DRAWING,
            help=f"How the server is told that: {' or '.join(_LENGTH_FIELDS)}.",
        ),
    ] = _LENGTH_FIELDS[0],
    concurrency: Annotated[
        int, typer.Option(min=1, max=1024, rich_help_panel=_LIMITS, help="Requests at once.")
    ] = 8,
    max_requests: Annotated[
        int | None,
        typer.Option(
            min=0, rich_help_panel=_LIMITS, help="For the whole dataset, earlier runs included.",
            show_default=f"{_REQUESTS_EACH} for each conversation",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=0, rich_help_panel=_LIMITS, show_default="none",
            help="For the whole dataset, prompts and answers together, as the server counts.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, rich_help_panel=_LIMITS, help="Seconds for one answer.")
    ] = 600.0,
    api_key_env: Annotated[
        str,
        typer.Option(
            metavar="NAME", rich_help_panel=_LIMITS,
            help="The environment variable that holds the key, if the server wants one.",
        ),
    ] = API_KEY,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", rich_help_panel=_LIMITS, help="Where answers are kept; none keeps none.",
            show_default="motet/answers in the user's cache folder",
        ),
    ] = None,
    print_request: Annotated[
        bool,
        typer.Option("--print-request", help="Print the first request, send nothing, and end."),
    ] = False,
) -> None:  # fmt: skip
    """Let a language model write conversations with several streams, as a dataset of tables.

    What it writes is read strictly, mended where its meaning is plain, sent back once with what is
    wrong, or left out with the reason; OUT.attempts.jsonl has every attempt. Started again, the
    command goes on where it stopped, and nothing that was answered is paid for twice.
    """
    from motet.corpora.asking import Wish
    from motet.corpora.endpoint import Endpoint
    from motet.corpora.plan import Plan
    from motet.eval.questions.question import Fields, read_questions

    if length_field not in _LENGTH_FIELDS:
        raise SettingError("--length-field", expected=" or ".join(_LENGTH_FIELDS), got=length_field)
    endpoint = Endpoint(
        url, model, os.environ.get(api_key_env) or None, timeout,
        "max_tokens" if length_field == _LENGTH_FIELDS[0] else "max_completion_tokens",
    )  # fmt: skip
    asked = None
    if questions is not None:
        asked = tuple(read_questions(questions, Fields(question_field, answer_field)))
    plan = Plan(
        prompts=tuple(map(_weighted, prompt or ["problem"])),
        wish=Wish(max_answer, temperature, top_p),
        seed=seed,
        sends_seed=not no_seed,
        questions=asked,
        num_mends=mends,
    )
    if print_request:
        task = plan.task(0)
        body = {"model": model, "messages": list(task.messages), **task.wish.fields(endpoint)}
        typer.echo(json.dumps({"url": endpoint.url, "body": body}, indent=2, ensure_ascii=True))
        return
    num_wanted = num_conversations or (100 if asked is None else len(asked))
    if asked is not None and num_wanted > len(asked):
        raise SettingError("--num", expected=f"at most {len(asked)}, the questions", got=num_wanted)
    limits = _Limits(
        num_wanted, concurrency,
        _REQUESTS_EACH * num_wanted if max_requests is None else max_requests, max_tokens,
    )  # fmt: skip
    _make(target, plan, endpoint, limits, cache)


@dataclass(frozen=True)
class _Limits:
    num_wanted: int
    concurrency: int
    max_requests: int
    max_tokens: int | None


def _make(target: Path, plan: Plan, endpoint: Endpoint, limits: _Limits, cache: str | None) -> None:
    """Ask for what is missing, then write the dataset if there is enough."""
    from motet.corpora.attempts import Attempts, attempts_file
    from motet.corpora.dropping import MEANINGS
    from motet.corpora.place import check_place
    from motet.corpora.synthesize import collect
    from motet.data.dataset import MadeBy

    check_place(target)
    made_as = plan.made_as(endpoint)
    with Attempts(attempts_file(target), made_as) as attempts:
        spent = asyncio.run(_ask(plan, endpoint, limits, cache, attempts))
        show_outcomes(attempts.outcomes, {reason.value: text for reason, text in MEANINGS.items()})
        typer.echo(json_line(_facts(attempts, endpoint, target)))
        if spent is not None and attempts.num_kept < limits.num_wanted:
            raise spent
        if attempts.num_kept == 0:
            raise InputError(
                "conversations", expected="at least one that can be kept", got="none",
                fix=f"see {attempts.path} for what was written",
            )  # fmt: skip
        num_wanted = min(limits.num_wanted, attempts.num_kept)
        source = {name: value for name, value in made_as.items() if name != "url"}
        command = ("motet", "data", "synthesize", "--num", str(num_wanted))
        made_by = MadeBy(command=command, sources=(source,))
        done = collect(attempts, plan, target, made_by, num_wanted)
    typer.echo(
        f"{printable(str(target))}: {done.num_conversations:,} conversations, "
        f"{done.num_rows:,} rows, {len(done.shards)} shards"
    )


async def _ask(
    plan: Plan, endpoint: Endpoint, limits: _Limits, cache: str | None, attempts: Attempts
) -> BudgetSpentError | None:
    from motet.corpora.asking import Asker
    from motet.corpora.budget import Budget
    from motet.corpora.cache import AnswerCache, answers_folder
    from motet.corpora.synthesize import spent_before, synthesize

    if attempts.num_kept >= limits.num_wanted:
        return None
    folder = answers_folder() if cache is None else Path(cache)
    answers = None if cache == "none" else AnswerCache(folder)
    budget = Budget(limits.max_requests, limits.max_tokens, spent_before(attempts))
    asker = Asker(endpoint, cache=answers, budget=budget, concurrency=limits.concurrency)
    with following("keeping", limits.num_wanted, attempts.num_kept) as say:
        async with asker:
            return await synthesize(
                asker, plan, attempts, limits.num_wanted, concurrency=limits.concurrency,
                advance=_teller(say, attempts, budget),
            )  # fmt: skip


def _teller(say: Say, attempts: Attempts, budget: Any) -> Any:
    def tell(_: Attempt) -> None:
        spent: Spending = budget.spent
        num_dropped = attempts.num_made - attempts.num_kept
        rest = f"{num_dropped} dropped, {spent.requests:,} requests, {spent.tokens:,} tokens"
        say(attempts.num_kept, rest)

    return tell


def _facts(attempts: Attempts, endpoint: Endpoint, target: Path) -> dict[str, Any]:
    """The line of JSON: what was asked of whom, what came of it, and what it cost."""
    from motet.corpora.synthesize import spent_before

    spent = spent_before(attempts)
    facts = [one for _, one in attempts.facts()]
    repairs = Counter(name for one in facts for name in one.get("repairs", ()))
    return {
        "dataset": str(target),
        "attempts": str(attempts.path),
        "model": endpoint.model,
        "kept": attempts.num_kept,
        "dropped": {k: n for k, n in sorted(attempts.outcomes.items()) if k != "kept"},
        "repairs": dict(sorted(repairs.items())),
        "answers": sum(one["answers"] for one in facts),
        "requests": spent.requests,
        "prompt_tokens": spent.prompt_tokens,
        "answer_tokens": spent.answer_tokens,
    }


def _weighted(text: str) -> tuple[Prompt, float]:
    """`talk=0.5`, or `talk`, which weighs 1."""
    from motet.corpora.prompt import load_prompt

    name, equals, weight = text.partition("=")
    try:
        return load_prompt(name), float(weight) if equals else 1.0
    except ValueError:
        raise SettingError("--prompt", expected="NAME=WEIGHT, such as talk=0.5", got=text) from None
