"""Users of OpenAI endpoints, this server's and others': what they ask and what they note."""

from __future__ import annotations

import asyncio

import pytest

from motet.bench.serve.figures import Window
from motet.bench.serve.load import Api, Load
from motet.bench.serve.loop import Target, run_load
from motet.bench.serve.prompts import Prompts
from motet.bench.serve.request import Kind, Request
from motet.errors import BenchError, ServerError
from tests.bench.openai_double import OpenAIDouble, said, usage

DONE = "data: [DONE]"
ANSWER = [": a comment", said(thought="hm"), said("He"), said("llo"), usage(7), DONE]


async def run(
    double: OpenAIDouble, *, target: Target | None = None, **options: object
) -> tuple[list[Request], Window]:
    fields = {"api": Api.CHAT, "num_users": 1, "num_requests": 2} | options
    async with double.running() as url, asyncio.timeout(60):
        target = Target(url, "key", target.model if target else None)
        return await run_load(target, Load(**fields), Prompts(["a", "b"], 0))  # type: ignore[arg-type]


async def test_chat() -> None:
    double = OpenAIDouble([ANSWER])
    requests, window = await run(double, ignore_eos=True, max_rows=9)
    assert len(requests) == 3
    assert window.seconds > 0
    for request in requests:
        assert request.is_answered
        assert len(request.visible_at) == 2
        assert request.num_visible == 7
        assert request.spoken["content"] == 7
        assert (request.ttft_s or 0) > 0
    path, body = double.asked[0]
    assert path == "/v1/chat/completions"
    assert body.pop("seed") >= 0
    assert body.pop("messages")[0]["content"] in "ab"
    assert body == {
        "model": "first", "stream": True, "stream_options": {"include_usage": True},
        "max_tokens": 9, "ignore_eos": True,
    }  # fmt: skip
    assert set(double.keys) == {"Bearer key"}


async def test_thoughts_and_other_channels_are_not_visible_tokens() -> None:
    channels = {"Output": 3, "Think": 4, "Doubt": 2}
    answer = [
        said(thought="hm"), said("a", channels={"Doubt": "no"}), said("b"),
        usage(9, reasoning_tokens=4, channels=channels), DONE,
    ]  # fmt: skip
    requests, _ = await run(OpenAIDouble([answer]))
    assert requests[0].num_visible == 3
    assert dict(requests[0].spoken) == {"Doubt": 2, "content": 3, "reasoning": 4}


async def test_completions_of_a_server_that_counts_nothing() -> None:
    answer = [{"choices": [{"text": "He"}]}, {"choices": [{"text": "llo"}]}, DONE]
    double = OpenAIDouble([answer])
    requests, _ = await run(double, target=Target("", model="mine"), api=Api.COMPLETIONS)
    path, body = double.asked[0]
    assert (path, body["model"], body["prompt"] in "ab") == ("/v1/completions", "mine", True)
    assert requests[0].num_visible is None
    assert len(requests[0].visible_at) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([said("He")], "broke off"),
        ([said("He"), {"error": {"message": "no"}}], "error in the stream"),
        (["data: {"], "no JSON in the stream"),
    ],
)
async def test_failures_have_a_kind(answer: list[object], kind: str) -> None:
    requests, _ = await run(OpenAIDouble([ANSWER, answer, ANSWER]))  # type: ignore[list-item]
    assert [request.failure for request in requests] == [None, kind, None]


async def test_a_request_that_takes_too_long() -> None:
    double = OpenAIDouble([ANSWER, [said("a")] * 1000, ANSWER])
    double.pause_s = 0.02
    requests, _ = await run(double, timeout_s=1.0)
    assert [request.failure for request in requests] == [None, "timeout", None]


async def test_a_server_that_only_refuses_is_no_measurement() -> None:
    with pytest.raises(BenchError, match="expected a server that answers, got HTTP 429"):
        await run(OpenAIDouble([ANSWER], status=429))


async def test_a_server_without_a_model() -> None:
    with pytest.raises(ServerError, match=r"expected the name of a model, .* --model-name"):
        await run(OpenAIDouble([ANSWER], models=[]))


async def test_slow_and_killed_users() -> None:
    long = [said("a")] * 200 + [usage(200), DONE]
    double = OpenAIDouble([long], pause_s=0.001)
    requests, _ = await run(double, num_users=3, num_killed=2, num_requests=4)
    killed = [request for request in requests if request.kind is Kind.KILLED]
    assert all(request.is_answered for request in requests)
    assert killed
    assert all(len(request.arrivals) <= 6 for request in killed)
    assert any(len(r.arrivals) == 200 for r in requests if r.kind is Kind.STEADY)
