"""Every recipe goes from raw data to figures with one command, in its small size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = Path(__file__).parents[2] / "runs"
TIMEOUT_S = 300


def run(recipe: str, *arguments: object) -> str:
    command = [str(RUNS / recipe / "run"), "--small", *map(str, arguments)]
    environment = os.environ | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


def figures(output: str) -> list[dict[str, object]]:
    """The lines of JSON that commands end with."""
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"command"')]


@pytest.mark.slow
def test_motet_tiny(tmp_path: Path) -> None:
    found = figures(run("motet-tiny", tmp_path / "out"))
    assert [line["command"].split()[2] for line in found] == ["jsonl", "jsonl", "streams"]  # type: ignore[attr-defined]
    assert (tmp_path / "out" / "training" / "best" / "model.safetensors").is_file()


@pytest.mark.slow
def test_gsm8k_small(tmp_path: Path) -> None:
    sample = RUNS / "gsm8k-small" / "sample"
    found = figures(run("gsm8k-small", sample, tmp_path / "out"))
    assert [line["command"].split()[2] for line in found][-3:] == ["gsm8k", "gsm8k", "compare"]  # type: ignore[attr-defined]
    assert (tmp_path / "out" / "after.html").is_file()


@pytest.mark.slow
def test_sequential_or_streams(tmp_path: Path) -> None:
    run("sequential-or-streams", tmp_path / "out")
    table = (tmp_path / "out" / "table.md").read_text("utf-8")
    assert table.count("| four streams") == 4
    assert "| a sequence, without Skeptical |" in table


@pytest.mark.parametrize("recipe", sorted(path.parent.name for path in RUNS.glob("*/run")))
def test_a_recipe_says_how_it_is_used(recipe: str) -> None:
    assert (RUNS / recipe / "README.md").is_file()
    text = (RUNS / recipe / "run").read_text("utf-8")
    assert f"runs/{recipe}/run [--small]" in text
    assert os.access(RUNS / recipe / "run", os.X_OK)
