"""Every request field of OpenAI's is declared, and docs/openai.md says what becomes of it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.resources.chat.completions import Completions as Chats
from openai.resources.completions import Completions
from openai.resources.responses import Responses
from pydantic import ValidationError

from motet.server.openai.chat_request import ChatRequest
from motet.server.openai.completion_request import CompletionRequest
from motet.server.openai.fields import Fields, Refused, standings
from motet.server.openai.responses_request import ResponsesRequest
from tests.server.openai.engines import three_voices
from tests.server.openai.serving import Running, serve

DOCS = Path(__file__).parents[3] / "docs" / "openai.md"
CLIENT_ONLY = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
NEEDED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hey"}]},
    "/v1/completions": {"prompt": "hey"},
    "/v1/responses": {"input": "hey"},
}
ENDPOINTS: list[tuple[str, type[Fields], Callable[..., Any]]] = [
    ("/v1/chat/completions", ChatRequest, Chats.create),
    ("/v1/completions", CompletionRequest, Completions.create),
    ("/v1/responses", ResponsesRequest, Responses.create),
]
each_endpoint = pytest.mark.parametrize(
    ("path", "request_model", "create"), ENDPOINTS, ids=[path for path, _, _ in ENDPOINTS]
)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serve(three_voices("......hi$", "...$", "...$")) as running:
        yield running


def refused_fields() -> list[tuple[str, str, Refused]]:
    return [
        (path, name, mark)
        for path, model, _ in ENDPOINTS
        for name, info in model.model_fields.items()
        for mark in info.metadata
        if isinstance(mark, Refused)
    ]


def rows_of(path: str) -> list[list[str]]:
    """The table under the endpoint's heading."""
    section = DOCS.read_text("utf-8").split(f"\n### `{path}`\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@each_endpoint
def test_knows_the_parameters_of_the_openai_package(
    path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    parameters = set(inspect.signature(create).parameters) - CLIENT_ONLY
    known = {one.name: one.kind for one in standings(request_model)}
    assert parameters - known.keys() == set()
    extensions = {name for name, kind in known.items() if kind == "extension"}
    assert known.keys() - parameters == extensions


@each_endpoint
def test_the_table_is_true(
    path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    expected = [[f"`{one.name}`", one.kind, one.remark] for one in standings(request_model)]
    assert rows_of(path) == sorted(expected, key=lambda row: (order_of(row[1]), row[0]))


def order_of(kind: str) -> int:
    return ["works", "extension", "refused"].index(kind)


def test_refuses_by_name(server: Running) -> None:
    """Every refused field; "something" is nobody's default."""
    with httpx.Client(base_url=server.url, timeout=20) as client:
        for path, name, _ in refused_fields():
            body = {"model": server.model, **NEEDED[path], name: "something"}
            answer = client.post(path, json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["param"]) == (400, name), (path, name)
            assert error["code"] == "unsupported_parameter"
            assert error["type"] == "invalid_request_error"
            assert error["message"].startswith(f"{name}: not supported")


def test_takes_nothing_but_defaults() -> None:
    """1 is not true, and an object with something in it is not an empty one."""
    models = {path: model for path, model, _ in ENDPOINTS}
    for path, name, mark in refused_fields():
        for value in (True, False, 0, 1, 1.0, "", "none", "auto", [], ["x"], {}, {"a": None}):
            is_allowed = any(type(value) is type(one) and value == one for one in mark.allowed)
            body = {"model": "any", **NEEDED[path], name: value}
            if is_allowed:
                models[path].model_validate(body)
            else:
                with pytest.raises(ValidationError, match=name):
                    models[path].model_validate(body)


@each_endpoint
def test_takes_default_values(
    server: Running, path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    """All refused fields at once, with each of their allowed values."""
    marks = [(name, mark) for where, name, mark in refused_fields() if where == path]
    with httpx.Client(base_url=server.url, timeout=20) as client:
        for place in range(max(len(mark.allowed) for _, mark in marks)):
            values = {name: mark.allowed[min(place, len(mark.allowed) - 1)] for name, mark in marks}
            body = {"model": server.model, **NEEDED[path], **values}
            answer = client.post(path, json=body)
            assert answer.status_code == 200, answer.text


@each_endpoint
def test_takes_null_for_what_may_be_left_out(
    server: Running, path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    optional = [n for n, info in request_model.model_fields.items() if not info.is_required()]
    body = {"model": server.model, **NEEDED[path], **dict.fromkeys(optional)}
    answer = httpx.post(f"{server.url}{path}", json=body, timeout=20)
    assert answer.status_code == 200, answer.text


@each_endpoint
def test_refuses_what_nobody_knows(
    server: Running, path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    body = {"model": server.model, **NEEDED[path], "tempratur": 1}
    error = httpx.post(f"{server.url}{path}", json=body, timeout=20).json()["error"]
    assert (error["code"], error["param"]) == ("unknown_parameter", "tempratur")


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"messages": [{"role": "user", "content": "hi", "nick": "x"}]}, "messages[0].nick",
         "unknown_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
         "messages[0].content", "invalid_value"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_value"),
        ({"temperature": 2.5}, "temperature", "invalid_value"),
        ({"stop": ["a"] * 5}, "stop", "invalid_value"),
        ({"stop": ""}, "stop", "invalid_value"),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"response_format": {"type": "json_object"}}, "response_format.type", "invalid_value"),
        ({"top_logprobs": 3}, "top_logprobs", "invalid_value"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}},
         "stream_options.include_obfuscation", "unsupported_parameter"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens", "invalid_value"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]},
         "messages", "invalid_value"),
        ({"chat_template_kwargs": {"a": 1}}, "chat_template_kwargs", "unsupported_parameter"),
        ({"model": "gpt-7"}, "model", "model_not_found"),
    ],
)  # fmt: skip
def test_names_the_place(server: Running, changes: Any, param: str, code: str) -> None:
    body = {"model": server.model, **NEEDED["/v1/chat/completions"], **changes}
    answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=20)
    error = answer.json()["error"]
    assert answer.status_code == (404 if code == "model_not_found" else 400)
    assert (error["param"], error["code"]) == (param, code)
    assert re.fullmatch(r"[^\n]+", error["message"])


def test_says_what_is_missing_and_what_is_no_json(server: Running) -> None:
    url = f"{server.url}/v1/chat/completions"
    missing = httpx.post(url, json={"model": server.model}, timeout=20).json()["error"]
    assert (missing["param"], missing["code"]) == ("messages", "missing_required_parameter")
    head = {"content-type": "application/json"}
    broken = httpx.post(url, content=b"{]", headers=head, timeout=20)
    assert broken.status_code == 400
    assert broken.json()["error"]["code"] == "invalid_json"


@each_endpoint
def test_refuses_half_characters(
    server: Running, path: str, request_model: type[Fields], create: Callable[..., Any]
) -> None:
    """In JSON they can be spelled; no answer could repeat them."""
    field = "metadata" if path == "/v1/responses" else "stop"
    value = {"a": "\ud800"} if field == "metadata" else "\ud800"
    body = json.dumps({"model": server.model, **NEEDED[path], field: value})
    head = {"content-type": "application/json"}
    answer = httpx.post(f"{server.url}{path}", content=body, headers=head, timeout=20)
    assert (answer.status_code, "surrogates" in answer.text) == (400, True)
