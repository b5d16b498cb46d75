"""The peer: its process, and what becomes of a peer that refuses, dies or is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from motet.bench.peer import PeerProcess, is_installed
from motet.bench.peer_process import _features
from motet.errors import BenchError
from motet.formats.gguf import GGUFModel

needs_peer = pytest.mark.skipif(not is_installed(), reason="llama-cpp-python is not installed")


def open_peer(path: Path) -> PeerProcess:
    return PeerProcess(path, num_threads=1, num_sequences=4, num_logits=3, max_tokens=64)


@needs_peer
def test_it_reads_what_we_wrote(tiny_file: GGUFModel) -> None:
    with open_peer(tiny_file.path) as peer:
        assert peer.facts.version.startswith("llama-cpp-python ")
        assert peer.facts.features
        assert len(peer.step(3)) == 3
        assert all(seconds > 0 for seconds in peer.step(2))
        assert peer.prefill(60) > 0
        peer.clear()
        assert peer.peak_resident_bytes() > 10e6


@needs_peer
def test_it_refuses_what_it_can_not_read(tmp_path: Path) -> None:
    (tmp_path / "noise.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(BenchError, match=r"peer llama.cpp: open noise.gguf: .* could not be load"):
        open_peer(tmp_path / "noise.gguf")


@needs_peer
def test_it_dies(tiny_file: GGUFModel) -> None:
    with open_peer(tiny_file.path) as peer:
        peer._process.kill()
        with pytest.raises(BenchError, match="got it ended"):
            peer.step(1)


def test_it_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("motet.bench.peer.MODULE", "no_such_package")
    with pytest.raises(BenchError, match=r"peer llama.cpp: expected llama-cpp-python, got none"):
        open_peer(tmp_path / "any.gguf")


FAKE = """
import sys, types
fake = types.ModuleType("llama_cpp")
fake.__version__ = "9"
sys.modules["llama_cpp"] = fake
from motet.bench.peer_process import main
main()
"""


def test_the_process_answers_before_anything_is_open() -> None:
    """Every request gets a line, also one that can't be done."""
    requests = "\n".join(json.dumps(r) for r in ({"step": {"count": 1}}, {"memory": {}}))
    run = subprocess.run(
        [sys.executable, "-c", FAKE], input=requests, capture_output=True, text=True, check=True
    )
    first, second = map(json.loads, run.stdout.splitlines())
    assert first == {"refusal": "nothing is open"}
    assert second["peak_resident_bytes"] > 1e6


def test_features() -> None:
    assert _features("CPU : AVX2 = 1 | AVX512 = 0 | OPENMP = 1 | ") == ["AVX2", "OPENMP"]
