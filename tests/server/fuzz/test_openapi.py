"""The description of the HTTP API is true: whatever it allows or forbids, answers are as it says.

schemathesis makes requests up from `/openapi.json`, good ones and bad ones; no answer may be a
failure of the server, and each has a status, a type and a shape that the description has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from motet.engine import Engine
from tests.server.front.conftest import Served, start

ROWS = 48  # of a session, so that no reply is long
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance, negative_data_rejection,
    unsupported_method,
]  # fmt: skip


@pytest.fixture(scope="module")
def small(engine: Engine[Any]) -> Iterator[Served]:
    served = start(engine, rate=0.0, context_rows=ROWS, max_context_rows=ROWS)
    yield served
    served.stop()


@pytest.fixture(scope="module")
def description(small: Served) -> Any:
    return schemathesis.openapi.from_url(small.url + "/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_described(description: Any, mode: GenerationMode) -> None:
    operations = [found.ok() for found in description.get_all_operations()]
    assert len(operations) > 8
    for operation in operations:

        @settings(
            max_examples=6, deadline=None, derandomize=True, database=None,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy(generation_mode=mode))
        def call(case: Case) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        with contextlib.suppress(Unsatisfiable):  # nothing of an operation without input is wrong
            call()


def test_every_route_is_described(small: Served) -> None:
    document = small.get("/openapi.json").json()
    operations = [(path, method) for path, item in document["paths"].items() for method in item]
    assert {path for path, _ in operations} >= {
        "/health", "/metrics", "/v1/chat/completions", "/v1/completions", "/v1/responses",
        "/v1/models", "/v1/sessions", "/tokenize", "/detokenize",
    }  # fmt: skip
    for path, method in operations:
        operation = document["paths"][path][method]
        assert operation["summary"]
        assert "422" not in operation["responses"], "mistakes are 400, as OpenAI has it"
        assert {"4XX", "5XX"} <= operation["responses"].keys()
