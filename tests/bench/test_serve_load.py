"""What a load may be, and what its users ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from motet.bench.serve.load import Api, Load
from motet.bench.serve.loop import kinds_of
from motet.bench.serve.prompts import NUM_GENERATED, generated_prompts, read_prompts
from motet.bench.serve.request import Kind
from motet.errors import BenchError, InputError


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "expected a time or a number of requests, got both or none"),
        ({"seconds": 1.0, "num_requests": 3}, "got both or none"),
        ({"seconds": 1.0, "num_users": 4, "num_slow": 2, "num_killed": 2}, "expected fewer than 4"),
        ({"seconds": 1.0, "ignore_eos": True}, "--ignore-eos: expected chat or completions"),
    ],
)
def test_loads_that_can_not_be(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BenchError, match=complaint):
        Load(**options)


def test_kinds_of_users() -> None:
    load = Load(seconds=1.0, num_users=6, num_slow=2, num_killed=1, api=Api.CHAT, ignore_eos=True)
    assert kinds_of(load) == [Kind.SLOW] * 2 + [Kind.KILLED] + [Kind.STEADY] * 3


def test_generated_prompts() -> None:
    first, again, other = (generated_prompts(seed) for seed in (1, 1, 2))
    texts = [first.draw() for _ in range(NUM_GENERATED)]
    assert texts == [again.draw() for _ in range(NUM_GENERATED)]
    assert first.draw() == texts[0]  # it begins again
    assert texts != [other.draw() for _ in range(NUM_GENERATED)]
    assert len(set(texts)) > NUM_GENERATED // 2
    assert all(texts)


def test_a_file_of_prompts(tmp_path: Path) -> None:
    path = tmp_path / "prompts"
    path.write_text('plain text\n\n{"id": 1, "text": "of an object"}\n', encoding="utf-8")
    prompts = read_prompts(path, 0)
    assert {prompts.draw() for _ in range(2)} == {"plain text", "of an object"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "expected a prompt a line, got none"),
        (b'ok\n{"id": 1}\n', 'line 2: expected an object with a "text"'),
        (b"{broken\n", 'line 1: expected an object with a "text"'),
        (b"\xff\n", "expected a file of prompts in UTF-8"),
    ],
)
def test_files_that_are_no_prompts(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "prompts"
    path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        read_prompts(path, 0)
    with pytest.raises(InputError, match="expected a file of prompts"):
        read_prompts(tmp_path / "none", 0)
