"""`motet bench decode`: what it prints and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Self

import pytest

from motet.bench.peer import PeerFacts, is_installed
from motet.formats.gguf import GGUFModel
from tests.cli.conftest import Motet, motet

__all__ = ["motet"]

QUICK = ("--repeats", 2, "--prefill", 8, "--threads", 1)


def measure(motet: Motet, weights: Path, *options: object) -> tuple[str, dict[str, Any]]:
    """What the command printed before its last line, and the last line."""
    result = motet("bench", "decode", "--shape", "tiny", "--weights", weights, *QUICK, *options)
    assert result.code == 0, result
    text, _, last = result.out.rstrip("\n").rpartition("\n")
    return text, json.loads(last)


@pytest.fixture(scope="module")
def model(tiny_file: GGUFModel) -> dict[str, Any]:
    return {
        "name": "tiny", "is_random": True, "file": "tiny.gguf", "weight_types": "Q4_0, Q8_0, F32"
    }  # fmt: skip


def test_implied_comes_before_measured_and_json_last(
    motet: Motet, tiny_shape: Path, model: dict[str, Any]
) -> None:
    text, data = measure(motet, tiny_shape, "--peer", "none", "--context", 100)
    assert re.match(r"(?s)Setting\n.*\nImplied .*\nMeasured, medians of 2 turns\n", text)
    assert "tiny (RANDOM WEIGHTS, no model)" in text
    assert data["model"] == model
    assert data["command"].split()[0] == "motet"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", data["date"])
    assert data["hardware"].keys() == {"cpu", "cores", "instruction_sets", "memory_bytes", "system"}
    assert data["work"] == {
        "num_sessions": 1, "num_channels": 4, "num_logits": 3, "past_rows": 0,
        "num_threads": 1, "repeats": 2,
    }  # fmt: skip


def test_figures_fit_together(motet: Motet, tiny_shape: Path, tiny_file: GGUFModel) -> None:
    _, data = measure(motet, tiny_shape, "--peer", "none", "--context", 100)
    implied, measured = data["implied"], data["measured"]
    assert implied["file_bytes"] == sum(info.num_bytes for info in tiny_file.tensors.values())
    assert implied["floor_s"] == implied["row_bytes"] / implied["bandwidth_bytes_per_s"]
    turns = measured["floor_turns"]
    ratios = [
        ours / reading for ours, reading in zip(turns["ours_s"], turns["theirs_s"], strict=True)
    ]
    assert measured["times_floor"] == turns["ratio"] == median(ratios)
    assert measured["floor_s"] == median(turns["theirs_s"])
    assert measured["cells_per_s"] == pytest.approx(4 / measured["row_s"])
    assert 2 <= measured["num_distinct_experts"] <= 8
    assert 0 < measured["python_share"] < 1
    assert measured["first_row_s"] > 0 < measured["load_s"]
    assert measured["peak_resident_bytes"] > 20e6
    assert measured["context"]["rows"] == 100
    assert len(measured["context"]["ours_s"]) == len(measured["context"]["theirs_s"]) == 2
    assert measured["prefill"] | {"ours_s": 0} == {
        "rows": 8, "ours_s": 0, "theirs_s": [], "ratio": None
    }  # fmt: skip
    assert measured["peer"] is None


def test_what_is_not_asked_is_not_measured(motet: Motet, tiny_shape: Path) -> None:
    _, data = measure(motet, tiny_shape, "--peer", "none", "--prefill", 0)
    assert (data["measured"]["prefill"], data["measured"]["context"]) == (None, None)


def test_json_only(motet: Motet, tiny_shape: Path) -> None:
    text, data = measure(motet, tiny_shape, "--peer", "none", "--json-only", "--sessions", 3)
    assert text == ""
    assert data["work"]["num_sessions"] == 3
    assert data["implied"]["num_distinct"] == pytest.approx(8 * (1 - (6 / 8) ** 12))


def test_one_channel(motet: Motet, tiny_shape: Path) -> None:
    _, data = measure(motet, tiny_shape, "--peer", "none", "--channels", 1)
    assert data["work"]["num_channels"] == data["work"]["num_logits"] == 1
    assert data["measured"]["num_distinct_experts"] == 2


@pytest.mark.skipif(not is_installed(), reason="llama-cpp-python is not installed")
def test_beside_a_peer(motet: Motet, tiny_shape: Path) -> None:
    text, data = measure(motet, tiny_shape, "--peer", "llama.cpp")
    peer, turns = data["measured"]["peer"], data["measured"]["row_turns"]
    assert peer["name"] == "llama.cpp"
    assert len(turns["ours_s"]) == len(turns["theirs_s"]) == 2
    assert peer["row_ratio"] == turns["ratio"] > 0
    assert data["measured"]["prefill"]["ratio"] > 0
    assert "llama.cpp, 4 tokens in 4 sequences, logits of 3" in text


class FakePeer:
    """Takes ten seconds a step and twenty a prefill, and remembers what it was asked."""

    facts = PeerFacts("fake 1", ["AVX2"], 1.0)
    asked: ClassVar[list[object]] = []

    def __init__(self, path: Path, **options: int) -> None:
        self.asked[:] = [path, options]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append("end")

    def clear(self) -> None:
        self.asked.append("clear")

    def step(self, count: int) -> list[float]:
        self.asked.append("step")
        return [10.0] * count

    def prefill(self, num_tokens: int) -> float:
        self.asked.append(num_tokens)
        return 20.0

    def peak_resident_bytes(self) -> int:
        return 123


def test_what_a_peer_is_asked(
    motet: Motet, tiny_shape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many tokens in as many sequences as we have cells, and as many logits."""
    monkeypatch.setattr("motet.cli.bench.is_installed", lambda: True)
    monkeypatch.setattr("motet.bench.decode.PeerProcess", FakePeer)
    text, data = measure(motet, tiny_shape, "--sessions", 2)
    assert FakePeer.asked == [
        tiny_shape,
        {"num_threads": 1, "num_sequences": 8, "num_logits": 6, "max_tokens": 64},
        *["clear", "step"] * 3, *[32] * 3, "end",
    ]  # fmt: skip
    measured = data["measured"]
    assert measured["peer"] == {
        "name": "llama.cpp", "version": "fake 1", "features": ["AVX2"], "load_s": 1.0,
        "step_s": 10.0, "row_ratio": measured["row_turns"]["ratio"], "peak_resident_bytes": 123,
    }  # fmt: skip
    assert measured["row_turns"]["ratio"] == pytest.approx(measured["row_s"] / 10)
    assert measured["prefill"]["theirs_s"] == [20.0, 20.0]
    assert "llama.cpp, 8 tokens in 8 sequences, logits of 6" in text


def test_no_peer_installed(motet: Motet, tiny_shape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.cli.bench.is_installed", lambda: False)
    options = ("--shape", "tiny", "--weights", tiny_shape, *QUICK)
    assert "pip install llama-cpp-python" in motet("bench", "decode", *options).err
    refused = motet("bench", "decode", *options, "--peer", "llama.cpp")
    assert "expected one that can read the model, got none" in refused.complaint


def test_a_file_and_a_directory(motet: Motet, tiny_shape: Path) -> None:
    result = motet("bench", "decode", tiny_shape, *QUICK, "--peer", "none", "--json-only")
    assert result.json["model"]["is_random"] is False
    assert result.json["work"]["num_channels"] == 1
    result = motet("bench", "decode", "motet-tiny", *QUICK, "--sessions", 2)
    assert result.code == 0
    assert "no peer llama.cpp: a directory" in result.err
    assert json.loads(result.out.splitlines()[-1])["model"]["weight_types"] == "F32"


ALONE = ("--peer", "none")
REFUSED = {
    "bench decode: expected MODEL or --shape, got both or neither": [],
    "--shape: expected lfm2.5-8b-a1b or": ["--shape", "huge"],
    "--quant: expected --shape with it": ["motet-tiny", "--quant", "q8_0"],
    "--channels: expected --shape with it": ["motet-tiny", "--channels", 2],
    "--context: expected at most 448 rows, got 449": ["--shape", "tiny", "--context", 449, *ALONE],
    "--prefill: expected at most 448 rows, got 600": ["--shape", "tiny", "--prefill", 600, *ALONE],
    "peer llama.cpp: expected one that can read": ["motet-tiny", "--peer", "llama.cpp"],
    "model: expected": ["no-such-file"],
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_refusals(motet: Motet, tiny_shape: Path, complaint: str) -> None:
    arguments = REFUSED[complaint]
    if "--shape" in arguments:
        arguments = [*arguments, "--weights", tiny_shape]
    assert complaint in motet("bench", "decode", *arguments).complaint
