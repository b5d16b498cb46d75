"""The client: what is cached, what is tried again, what ends the work, what a budget allows."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from motet.client.patience import Patience
from motet.corpora.asking import Asker, RefusedError, Wish
from motet.corpora.budget import Budget, BudgetSpentError, Spending
from motet.corpora.cache import AnswerCache
from motet.corpora.endpoint import Endpoint
from motet.errors import InputError, ServerError, SettingError
from tests.corpora.writer_server import Answer, Body, Reply, WriterServer

SOON = Patience(first_s=0.01, most_s=0.02, give_up_s=0.5)
WISH = Wish(max_tokens=50, temperature=0.5, seed=3)
MESSAGES = [{"role": "user", "content": "Hello?"}]


def asker(server: WriterServer, **more: object) -> Asker:
    endpoint = Endpoint(server.url, "m", "secret-key")
    return Asker(endpoint, patience=SOON, **more)  # type: ignore[arg-type]


def in_turn(*replies: Reply) -> Answer:
    """These replies, the last one again and again."""
    return lambda _, number: replies[min(number, len(replies) - 1)]


async def test_a_request_is_what_was_asked_for() -> None:
    with WriterServer(in_turn(Reply("Hi."))) as server:
        async with asker(server) as client:
            answer = await client.ask(MESSAGES, WISH)
    assert (answer.text, answer.finish, answer.num_requests) == ("Hi.", "stop", 1)
    assert answer.spending == Spending(1, 100, 50)
    assert server.asked == [
        {"model": "m", "messages": MESSAGES, "max_tokens": 50, "temperature": 0.5, "seed": 3}
    ]
    assert server.keys == ["Bearer secret-key"]


async def test_the_cache_answers_the_same_question_and_no_other(tmp_path: Path) -> None:
    with WriterServer(lambda body, number: Reply(f"answer {number}")) as server:
        async with asker(server, cache=AnswerCache(tmp_path)) as client:
            first = await client.ask(MESSAGES, WISH)
            again = await client.ask(MESSAGES, WISH)
            assert (again.text, again.num_requests) == (first.text, 0)
            assert again.spending == Spending()
            for other in (
                Wish(50, 0.5, None, 4),
                Wish(51, 0.5, None, 3),
                Wish(50),
                Wish(50, nth=1),
            ):
                assert (await client.ask(MESSAGES, other)).num_requests == 1
            assert (await client.ask([*MESSAGES, *MESSAGES], WISH)).num_requests == 1
        async with Asker(
            Endpoint(server.url, "n"), cache=AnswerCache(tmp_path), patience=SOON
        ) as other_model:
            assert (await other_model.ask(MESSAGES, WISH)).num_requests == 1
    assert len(server.asked) == 7
    assert all("nth" not in body for body in server.asked)
    kept = "".join(path.read_text() for path in tmp_path.glob("*/*.json"))
    assert "secret-key" not in kept
    assert not list(tmp_path.glob("*/*.partial"))


async def test_a_spoilt_file_of_the_cache_is_asked_anew(tmp_path: Path) -> None:
    with WriterServer(lambda body, number: Reply(f"answer {number}")) as server:
        async with asker(server, cache=AnswerCache(tmp_path)) as client:
            await client.ask(MESSAGES, WISH)
            (path,) = tmp_path.glob("*/*.json")
            whole = path.read_text()
            other = json.loads(whole)
            other["request"]["body"]["seed"] = 9
            for number, content in enumerate(["", whole[:-9], "[]", json.dumps(other)], start=1):
                path.write_text(content)
                assert (await client.ask(MESSAGES, WISH)).text == f"answer {number}"
            assert (await client.ask(MESSAGES, WISH)).num_requests == 0


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=500), Reply(status=503), Reply(status=429), Reply(status=408),
        Reply(drops=True), Reply(raw=b"<html>bad gateway</html>"), Reply(raw=b'{"choices": []}'),
        Reply(raw=b'{"choices": [{"message": {"content": 3}}]}'),
        Reply(status=429, headers={"retry-after": "0.01"}),
        Reply(status=429, headers={"retry-after": "soon"}),
    ],
)  # fmt: skip
async def test_trouble_passes(trouble: Reply) -> None:
    with WriterServer(in_turn(trouble, trouble, Reply("Hi."))) as server:
        async with asker(server) as client:
            answer = await client.ask(MESSAGES, WISH)
            assert (answer.text, answer.num_requests) == ("Hi.", 3)
            assert client.budget.spent == Spending(3, 100, 50)


async def test_patience_ends_and_says_why() -> None:
    with WriterServer(in_turn(Reply(status=503))) as server:
        async with asker(server) as client:
            with pytest.raises(ServerError, match="status 503"):
                await client.ask(MESSAGES, WISH)
    with WriterServer(in_turn(Reply(status=429, headers={"retry-after": "3600"}))) as server:
        async with asker(server) as client:
            start = time.monotonic()
            with pytest.raises(ServerError, match="429"):
                await client.ask(MESSAGES, WISH)
            assert time.monotonic() - start < 5


async def test_nobody_there() -> None:
    with WriterServer(in_turn(Reply())) as server:
        pass
    async with asker(server) as client:
        with pytest.raises(ServerError, match="expected an answer"):
            await client.ask(MESSAGES, WISH)


@pytest.mark.parametrize("status", [401, 403, 404, 402])
async def test_what_will_never_work_ends_at_once(status: int) -> None:
    with WriterServer(in_turn(Reply(status=status))) as server:
        async with asker(server) as client:
            with pytest.raises(ServerError, match=str(status)) as caught:
                await client.ask(MESSAGES, WISH)
    assert not isinstance(caught.value, RefusedError)
    assert "secret-key" not in str(caught.value)
    assert len(server.asked) == 1


async def test_no_money_is_no_matter_of_patience() -> None:
    reply = Reply(status=429, error={"code": "insufficient_quota"})
    with WriterServer(in_turn(reply)) as server:
        async with asker(server) as client:
            with pytest.raises(ServerError):
                await client.ask(MESSAGES, WISH)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_not_taken_says_so(status: int) -> None:
    with WriterServer(in_turn(Reply(status=status), Reply("Hi."))) as server:
        async with asker(server) as client:
            with pytest.raises(RefusedError):
                await client.ask(MESSAGES, WISH)
            assert (await client.ask(MESSAGES, WISH)).text == "Hi."


async def test_a_refusal_of_the_model_is_no_text() -> None:
    with WriterServer(in_turn(Reply(None, refusal="I can't."), Reply(None, None))) as server:
        async with asker(server) as client:
            assert (await client.ask(MESSAGES, WISH)).finish == "refusal"
            silent = await client.ask(MESSAGES, WISH)
            assert (silent.text, silent.finish) == ("", "")


async def test_so_many_at_once_and_no_more() -> None:
    with WriterServer(in_turn(Reply("Hi.", pause_s=0.05))) as server:
        async with asker(server, concurrency=3) as client:
            await asyncio.gather(*(client.ask(MESSAGES, Wish(9, seed=n)) for n in range(12)))
    assert server.most_at_once == 3


async def test_a_budget_of_requests() -> None:
    def answer(_: Body, number: int) -> Reply:
        return Reply(status=500) if number % 2 else Reply("Hi.")

    with WriterServer(answer) as server:
        budget = Budget(max_requests=7, spent=Spending(2, 0, 0))
        async with asker(server, budget=budget, concurrency=4) as client:
            asked = (client.ask(MESSAGES, Wish(9, seed=n)) for n in range(12))
            results = await asyncio.gather(*asked, return_exceptions=True)
    assert len(server.asked) == 5
    assert {type(result).__name__ for result in results} == {"Answer", "BudgetSpentError"}
    assert budget.spent.requests == 7


@pytest.mark.parametrize("max_tokens", [0, 400, 700, 1_000, 2_000])
async def test_a_budget_of_tokens_is_never_exceeded(max_tokens: int) -> None:
    """Even if every answer is as long as it may be; and what fits is asked for."""
    usage = (64 * 2 + len("userHello?"), 50)
    with WriterServer(in_turn(Reply("Hi.", usage=usage))) as server:
        budget = Budget(max_tokens=max_tokens)
        async with asker(server, budget=budget, concurrency=8) as client:
            asked = (client.ask(MESSAGES, Wish(50, seed=n)) for n in range(20))
            results = await asyncio.gather(*asked, return_exceptions=True)
    num_asked = max_tokens // sum(usage)
    assert len(server.asked) == num_asked
    assert budget.spent == Spending(num_asked, usage[0] * num_asked, usage[1] * num_asked)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert len(errors) == 20 - num_asked
    assert all(isinstance(error, BudgetSpentError) for error in errors)


async def test_a_budget_of_tokens_needs_to_be_told() -> None:
    with WriterServer(in_turn(Reply("Hi.", usage=None))) as server:
        async with asker(server, budget=Budget(max_tokens=9_999)) as client:
            with pytest.raises(ServerError, match="usage"):
                await client.ask(MESSAGES, WISH)
        async with asker(server) as client:
            assert (await client.ask(MESSAGES, WISH)).spending == Spending(1, 0, 0)


@pytest.mark.parametrize("url", ["", "host", "ftp://a/v1", "http://", "http://a:0", "http://a?b=1"])
def test_no_address(url: str) -> None:
    with pytest.raises(InputError, match="--url"):
        Endpoint(url, "m")


def test_an_address_with_a_password_is_not_written_down() -> None:
    with pytest.raises(InputError, match="without a user") as caught:
        Endpoint("http://user:secret@host/v1", "m")
    assert "secret" not in str(caught.value)


def test_an_endpoint_keeps_its_key_to_itself() -> None:
    assert "hidden" not in repr(Endpoint("http://a", "m", "hidden"))
    assert Endpoint("http://a/", "m").url == "http://a/v1"
    assert Endpoint("https://a/api/v2/", "m").url == "https://a/api/v2"
    with pytest.raises(SettingError):
        Endpoint("http://a", " ")
