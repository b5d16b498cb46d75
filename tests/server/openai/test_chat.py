"""Chats with models of several channels, by the openai package over a real socket."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.engine.scripted import ScriptedRuntime, dreaming_engine, layout_of
from tests.server.openai.engines import three_voices
from tests.server.openai.serving import Running, eventually, serve

HEY = [{"role": "user", "content": "hey"}]
OUTPUT, THINK, DOUBT = "I_say_hi", "hm_hm_hm", "no"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """The message takes rows 1 to 3; Output speaks from row 6 on."""
    engine = three_voices(f"......{OUTPUT}$", f"...{THINK}$", f"...{DOUBT}$")
    with serve(engine) as running:
        yield running
        eventually(lambda: running.num_open == 0)


@pytest.fixture(scope="module")
def dreamer() -> Iterator[Running]:
    """Says something else for every seed and every past."""
    with serve(dreaming_engine(layout_of("Think", "Skeptical")), max_sessions=4) as running:
        yield running
        eventually(lambda: running.num_open == 0)


def ask(server: Running, **fields: Any) -> Any:
    return server.client.chat.completions.create(
        **{"model": server.model, "messages": HEY, **fields}
    )


def deltas(chunks: list[ChatCompletionChunk], name: str, index: int = 0) -> str:
    choices = [c for chunk in chunks for c in chunk.choices if c.index == index]
    return "".join(getattr(choice.delta, name, None) or "" for choice in choices)


def test_every_channel_has_its_place(server: Running) -> None:
    answer = ask(server)
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == OUTPUT
    assert choice.message.reasoning_content == choice.message.reasoning == THINK
    assert choice.message.channels == {"Skeptical": DOUBT}
    assert (choice.finish_reason, choice.stopped_by) == ("stop", "end")
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", server.model)
    assert answer.system_fingerprint.startswith("motet-")
    assert answer.usage.prompt_tokens == 3  # he, y, end
    assert answer.usage.completion_tokens == len(OUTPUT + THINK + DOUBT)
    assert answer.usage.total_tokens == 3 + answer.usage.completion_tokens
    details = answer.usage.completion_tokens_details
    assert details.reasoning_tokens == len(THINK + DOUBT)
    assert details.channels == {"Output": 8, "Think": 8, "Skeptical": 2}


def test_a_stream_says_the_same(server: Running) -> None:
    chunks = list(ask(server, stream=True, stream_options={"include_usage": True}))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert deltas(chunks, "content") == OUTPUT
    assert deltas(chunks, "reasoning_content") == deltas(chunks, "reasoning") == THINK
    doubts = [getattr(c.choices[0].delta, "channels", None) for c in chunks[:-1]]
    assert "".join(d["Skeptical"] for d in doubts if d) == DOUBT
    ends = [c.choices[0].finish_reason for c in chunks[:-1]]
    assert ends == [None] * (len(ends) - 1) + ["stop"]
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(OUTPUT + THINK + DOUBT)


def test_without_being_asked_a_stream_has_no_usage(server: Running) -> None:
    chunks = list(ask(server, stream=True))
    assert all("usage" not in chunk.model_dump(exclude_unset=True) for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("stop", "left"),
    [("y_h", "I_sa"), (["hi", "_s"], "I"), ("I", ""), ("hello", OUTPUT), (THINK, OUTPUT)],
)
def test_stops(server: Running, stop: Any, left: str, stream: bool) -> None:
    """Tokens are single letters here, so every stop string is spread over several."""
    answer = ask(server, stop=stop, stream=stream)
    if stream:
        chunks = list(answer)
        assert deltas(chunks, "content") == left
        stopped_by = chunks[-1].choices[0].stopped_by  # type: ignore[attr-defined]
    else:
        assert answer.choices[0].message.content == left
        stopped_by = answer.choices[0].stopped_by
    assert stopped_by == ("end" if left == OUTPUT else "stop_string")


@pytest.mark.parametrize("limit", [1, 5, 11, 17, 18, 100])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_no_more_than_max_tokens(server: Running, limit: int, field: str) -> None:
    answer = ask(server, **{field: limit})
    assert answer.usage.completion_tokens == min(limit, 18)
    message = answer.choices[0].message
    said = message.content + message.reasoning_content + message.channels["Skeptical"]
    assert len(said) == min(limit, 18)
    is_whole = limit > 18
    assert answer.choices[0].finish_reason == ("stop" if is_whole else "length")


def test_logprobs_are_of_the_visible_text(server: Running) -> None:
    answer = ask(server, logprobs=True, top_logprobs=3, stop="hi")
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "I_say_"
    for token in tokens:
        assert bytes(token.bytes).decode() == token.token
        assert token.logprob == pytest.approx(0.0, abs=1e-6)  # the script is certain
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token
    streamed = list(ask(server, logprobs=True, stream=True))
    found = [t for c in streamed if (p := c.choices[0].logprobs) for t in p.content or []]
    assert "".join(token.token for token in found) == OUTPUT
    assert ask(server).choices[0].logprobs is None


def test_logprobs_are_a_distribution(dreamer: Running) -> None:
    answer = ask(dreamer, logprobs=True, top_logprobs=20, seed=3, max_tokens=40)
    for token in answer.choices[0].logprobs.content:
        likely = [top.logprob for top in token.top_logprobs]
        assert likely == sorted(likely, reverse=True)
        assert sum(map(math.exp, likely)) <= 1 + 1e-6
        assert token.logprob <= likely[0] + 1e-6


def test_the_same_seed_says_the_same(dreamer: Running) -> None:
    first, again, other = (
        ask(dreamer, seed=seed, max_tokens=60).choices[0].message for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_choices_are_those_of_seeds_one_apart(dreamer: Running) -> None:
    together = ask(dreamer, n=6, seed=10, max_tokens=30)  # more than there are places
    assert [choice.index for choice in together.choices] == list(range(6))
    for index in (0, 5):
        alone = ask(dreamer, seed=10 + index, max_tokens=30)
        assert together.choices[index].message == alone.choices[0].message
    assert together.usage.prompt_tokens == alone.usage.prompt_tokens
    chunks = list(ask(dreamer, n=6, seed=10, max_tokens=30, stream=True))
    for index in range(6):
        content = together.choices[index].message.content
        assert deltas(chunks, "content", index) == content


async def test_parallel_requests_decode_together(dreamer: Running) -> None:
    runtime = dreamer.state.engine.runtime
    assert isinstance(runtime, ScriptedRuntime)
    alone = [ask(dreamer, seed=seed, max_tokens=60).choices[0].message for seed in range(4)]
    runtime.blocks_read.clear()
    async with dreamer.async_client() as client:
        answers = await asyncio.gather(
            *(
                client.chat.completions.create(
                    model=dreamer.model, messages=HEY, seed=seed, max_tokens=60
                )  # type: ignore[call-overload]
                for seed in range(4)
            )
        )
    assert [answer.choices[0].message for answer in answers] == alone
    assert max(map(len, runtime.blocks_read)) == 4


def rows_read(server: Running) -> list[list[int]]:
    """Every row of the last session, as tokens."""
    runtime = server.state.engine.runtime
    assert isinstance(runtime, ScriptedRuntime)
    return [row for blocks in runtime.blocks_read for block in blocks for row in block.tolist()]


def test_the_past_is_read_first(server: Running) -> None:
    codec = server.state.engine.codec
    runtime = server.state.engine.runtime
    runtime.blocks_read.clear()
    past = [
        {"role": "system", "content": "be good"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "CD", "reasoning_content": "E",
         "channels": {"Skeptical": "F"}},
    ]  # fmt: skip
    ask(
        server,
        messages=[*past, {"role": "user", "content": "gh"}],
        max_tokens=1,
        extra_body={"feed": "prefill"},
    )
    columns = list(zip(*rows_read(server), strict=True))
    texts = [codec.text(column) for column in columns]
    assert texts[0] == "be good\nab\ngh"
    assert texts[1].startswith("CD")
    assert texts[2].startswith("E")
    assert texts[3].startswith("F")
    assert any(len(block) > 8 for blocks in runtime.blocks_read for block in blocks)


def test_the_message_is_fed_as_asked(server: Running) -> None:
    runtime = server.state.engine.runtime
    for feed, has_block in (("live", False), ("prefill", True), (None, False)):
        runtime.blocks_read.clear()
        ask(server, messages=[{"role": "user", "content": "abcdefgh"}], extra_body={"feed": feed})
        sizes = [len(block) for blocks in runtime.blocks_read for block in blocks]
        assert (max(sizes) >= 9) == has_block, feed


def test_goes_on_without_an_end(dreamer: Running) -> None:
    """For measurements: exactly so many tokens, however often the model would have stopped."""
    answer = ask(dreamer, max_tokens=300, extra_body={"ignore_eos": True}, seed=4)
    assert answer.usage.completion_tokens == 300
    assert answer.choices[0].stopped_by == "max_tokens"


def test_max_rows(dreamer: Running) -> None:
    answer = ask(dreamer, seed=1, extra_body={"max_rows": 5, "ignore_eos": True})
    assert (answer.choices[0].finish_reason, answer.choices[0].stopped_by) == ("length", "max_rows")


def test_errors_are_those_of_the_package(server: Running) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        ask(server, model="gpt-7")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as tools:
        ask(server, tools=[{"type": "function", "function": {"name": "f"}}])
    assert (tools.value.code, tools.value.param) == ("unsupported_parameter", "tools")
    with pytest.raises(openai.BadRequestError) as long:
        ask(server, messages=[{"role": "user", "content": "x" * 5000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as silent:
        ask(server, messages=[{"role": "user", "content": " "}])
    assert "expected some text" in silent.value.message
    with pytest.raises(openai.BadRequestError, match="Nobody"):
        ask(server, extra_body={"ablate": ["Nobody"]})
    with pytest.raises(openai.BadRequestError, match="Nobody"):
        ask(server, messages=[
            {"role": "assistant", "content": "x", "channels": {"Nobody": "y"}}, *HEY
        ])  # fmt: skip


def test_models(server: Running) -> None:
    (card,) = server.client.models.list().data
    assert card.id == server.model
    assert [c["name"] for c in card.channels] == ["User", "Output", "Think", "Skeptical"]  # type: ignore[attr-defined]
    assert server.client.models.retrieve(server.model) == card
    with pytest.raises(openai.NotFoundError):
        server.client.models.retrieve("gpt-7")
