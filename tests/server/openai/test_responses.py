"""Responses and completions of a model of several channels, by the openai package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.server.openai.engines import three_voices
from tests.server.openai.serving import Running, eventually, serve
from tests.server.openai.test_chat import DOUBT, OUTPUT, THINK, rows_read


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    engine = three_voices(f"......{OUTPUT}$", f"...{THINK}$", f"...{DOUBT}$")
    with serve(engine) as running:
        yield running
        eventually(lambda: running.num_open == 0)


def ask(server: Running, **fields: Any) -> Any:
    return server.client.responses.create(**{"model": server.model, "input": "hey", **fields})


def test_items(server: Running) -> None:
    response = ask(server, metadata={"a": "b"}, instructions=None)
    assert response.status == "completed"
    assert response.output_text == OUTPUT
    reasoning, message = response.output
    assert (reasoning.type, reasoning.content[0].text) == ("reasoning", THINK)
    assert (message.type, message.channels) == ("message", {"Skeptical": DOUBT})
    assert response.metadata == {"a": "b"}
    assert response.usage.input_tokens == 3
    assert response.usage.output_tokens == len(OUTPUT + THINK + DOUBT)
    assert response.usage.output_tokens_details.reasoning_tokens == len(THINK + DOUBT)
    assert (response.store, response.tools, response.id[:5]) == (False, [], "resp_")


def test_an_incomplete_one(server: Running) -> None:
    response = ask(server, max_output_tokens=4)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.usage.output_tokens == 4
    assert response.output[-1].status == "incomplete"


def test_logprobs(server: Running) -> None:
    fields: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    logprobs = ask(server, **fields).output[-1].content[0].logprobs
    assert "".join(one.token for one in logprobs) == OUTPUT
    assert all(len(one.top_logprobs) == 2 for one in logprobs)
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        ask(server, top_logprobs=2)


def test_a_stream_grows_to_the_same(server: Running) -> None:
    events = list(ask(server, stream=True, extra_body={"stop": "hi"}))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    thought = "".join(e.delta for e in events if e.type == "response.reasoning_text.delta")
    doubt = "".join(e.delta for e in events if e.type == "response.channel_text.delta")
    assert (text, THINK.startswith(thought), doubt) == ("I_say_", True, DOUBT)
    final = events[-1].response
    assert final.output_text == text
    added = [event for event in events if event.type == "response.output_item.added"]
    done = {e.output_index: e.item for e in events if e.type == "response.output_item.done"}
    assert [event.output_index for event in added] == list(range(len(final.output)))
    assert [event.item.id for event in added] == [item.id for item in final.output]
    assert [done[index].id for index in range(len(done))] == [item.id for item in final.output]
    assert [item.type for item in final.output] == ["reasoning", "message"]


def test_the_packages_own_accumulator_follows(server: Running) -> None:
    with server.client.responses.stream(model=server.model, input="hey") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == OUTPUT


def test_a_response_may_come_back(server: Running) -> None:
    """Its items, as they were, in front of the next message."""
    runtime = server.state.engine.runtime
    codec = server.state.engine.codec
    first = ask(server)
    items = [item.to_dict() for item in first.output]
    runtime.blocks_read.clear()
    ask(
        server, instructions="be good", max_output_tokens=1,
        input=[{"role": "user", "content": "hey"}, *items, {"role": "user", "content": "and"}],
    )  # fmt: skip
    texts = [codec.text(column) for column in zip(*rows_read(server), strict=True)]
    assert texts[0] == "be good\nhey\nand"
    assert texts[1].startswith(OUTPUT)
    assert texts[2].startswith(THINK)
    assert texts[3].startswith(DOUBT)


def test_completions(server: Running) -> None:
    complete = server.client.completions.create
    answer: Any = complete(model=server.model, prompt="hey", max_tokens=100, echo=True)
    (choice,) = answer.choices
    assert choice.text == "hey" + OUTPUT
    assert choice.reasoning == THINK
    assert choice.channels == {"Skeptical": DOUBT}
    assert (answer.object, choice.finish_reason) == ("text_completion", "stop")
    chunks: Any = list(
        complete(
            model=server.model, prompt="hey", max_tokens=100, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == OUTPUT
    assert chunks[-1].usage == answer.usage
    told: Any = complete(model=server.model, prompt="hey", max_tokens=100, logprobs=2)
    logprobs = told.choices[0].logprobs
    assert "".join(logprobs.tokens) == OUTPUT
    assert logprobs.text_offset == list(range(len(OUTPUT)))
    assert all(len(top) == 2 for top in logprobs.top_logprobs)
    with pytest.raises(openai.BadRequestError, match="echo"):
        complete(model=server.model, prompt="hey", logprobs=2, echo=True)
    with pytest.raises(openai.BadRequestError, match="at most"):
        complete(model=server.model, prompt=["a"] * 100, n=2)


def test_tokens_as_a_message(server: Running) -> None:
    ids = server.state.engine.codec.encode("hey")
    answer = server.client.completions.create(model=server.model, prompt=ids, max_tokens=100)
    assert answer.choices[0].text == OUTPUT
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3
    with pytest.raises(openai.BadRequestError, match="ids"):
        server.client.completions.create(model=server.model, prompt=[10**6])


def test_what_was_read_before_is_counted_as_cached(server: Running) -> None:
    """The instructions are read once; a second request that begins with them says so."""
    asked = {"model": server.model, "instructions": "say hello to me " * 4, "input": "hey"}
    before = server.state.engine.beginnings.num_rows
    first, second = (server.client.responses.create(**asked) for _ in range(2))
    assert first.usage is not None
    assert second.usage is not None
    num_shared = server.state.engine.beginnings.num_rows - before
    assert num_shared > 16
    assert first.usage.input_tokens == second.usage.input_tokens
    assert first.usage.input_tokens_details.cached_tokens == 0
    cached = second.usage.input_tokens_details.cached_tokens
    assert num_shared - 2 <= cached <= num_shared  # one token a row, and rows of silence around

    messages: Any = [
        {"role": "system", "content": asked["instructions"]}, {"role": "user", "content": "hey"}
    ]  # fmt: skip
    third = server.client.chat.completions.create(model=server.model, messages=messages)
    assert third.usage is not None
    assert third.usage.prompt_tokens_details is not None
    assert third.usage.prompt_tokens_details.cached_tokens == cached
