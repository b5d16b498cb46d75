"""`motet bench serve URL`: what it prints of a server that is not ours, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.bench.openai_double import OpenAIDouble, said, usage
from tests.cli.conftest import Motet, motet

__all__ = ["motet"]

ANSWER = [said(thought="hm"), said("He"), said("llo"), usage(9, reasoning_tokens=2), "data: [DONE]"]


@contextmanager
def served(double: OpenAIDouble) -> Iterator[str]:
    """The URL of a double that runs in a thread of its own."""
    urls: list[str] = []
    is_up, is_over = threading.Event(), threading.Event()

    async def run() -> None:
        async with double.running() as url:
            urls.append(url)
            is_up.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert is_up.wait(10)
        yield urls[0]
    finally:
        is_over.set()
        thread.join()


def test_another_server(motet: Motet, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(OpenAIDouble([ANSWER], pause_s=0.005)) as url:
        options = ["--api", "chat", "--concurrency", 2, "--requests", 5]
        monkeypatch.setattr(sys, "argv", ["motet", "bench", "serve", url, *map(str, options)])
        result = motet("bench", "serve", url, *options)
    assert result.code == 0, result
    assert result.err == f"motet: 2 users of {url}\n"
    text, _, last = result.out.rstrip("\n").rpartition("\n")
    data = json.loads(last)
    assert data["command"].endswith("--requests 5")
    assert data["target"] == {"url": url, "model": None}
    assert (data["engine"], data["comparison"]) == (None, None)
    measured = data["measured"]
    assert 5 <= measured["num_requests"] <= 6
    assert measured["ttft_s"]["n"] == measured["num_requests"]
    assert 0 < measured["gap_s"]["n"] <= measured["num_requests"]
    assert measured["spoken"].keys() == {"content", "reasoning"}
    assert measured["row_s"]["n"] == 0
    lines = text.splitlines()
    assert lines[0] == f"{url}, chat: 2 users at once"
    assert lines[1].split() == ["ms", "p50", "p95", "p99", "mean", "n"]
    assert lines[-1].split() == ["failures", "none"]


@pytest.mark.parametrize("form", [["--api-key", "secret"], ["--api-key=secret"], []])
def test_a_key_reaches_the_server_and_nothing_else(
    motet: Motet, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    double = OpenAIDouble([ANSWER])
    if not form:
        monkeypatch.setenv("MOTET_API_KEY", "secret")
    with served(double) as url:
        command = ["bench", "serve", url, "--api", "chat", "--requests", "1", *form]
        monkeypatch.setattr(sys, "argv", ["motet", *command])
        result = motet(*command, "--concurrency", 1)
    assert set(double.keys) == {"Bearer secret"}
    assert "secret" not in result.out + result.err


def test_json_only(motet: Motet) -> None:
    with served(OpenAIDouble([ANSWER])) as url:
        result = motet(
            "bench", "serve", url, "--api", "chat", "--requests", 1, "--json-only",
            "--concurrency", 1, "--model-name", "mine",
        )  # fmt: skip
    assert result.err == ""
    assert result.json["target"]["model"] == "mine"


REFUSED = {
    "--api-key: expected a URL with it, got motet-tiny": ["--api-key", "x"],
    "--threads: expected a MODEL with it, got http://x": ["http://x", "--threads", 1],
    "--threads: expected a MODEL with it, got localhost:1": ["localhost:1", "--threads", 1],
    "--model-name: expected --api chat or completions, got live": ["--model-name", "x"],
    "load: expected a time or a number": ["--seconds", 1, "--requests", 1],
    "load: expected fewer than 2 slow and killed users": ["--concurrency", 2, "--slow", 2],
    "--ignore-eos: expected chat or completions": ["--ignore-eos"],
    "expected a file of prompts in UTF-8": ["--prompts", "no-such-file"],
    "expected a URL like": ["ftp://x"],
    "expected a server that answers, got ws://127.0.0.1:9/v1/live: expected a Motet": [
        "http://127.0.0.1:9"
    ],
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_refusals(motet: Motet, complaint: str) -> None:
    result = motet("bench", "serve", *REFUSED[complaint], "--json-only")
    assert complaint in result.complaint
