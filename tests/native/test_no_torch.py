"""Talking needs no PyTorch: not to install, not to run, and not by accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
QUESTION = "What is 47 + 38?"
HEAVY = ("torch", "transformers", "safetensors", "accelerate", "peft")

BLOCKED = f"""
import importlib.abc, sys

class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""
AFTERWARDS = f"""
loaded = sorted(set(sys.modules) & set({HEAVY}))
print(loaded, file=sys.stderr)
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter where nothing heavy can be imported."""
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
    )


def motet(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command there; the last line on stderr says which heavy modules were imported."""
    return python(
        f"from motet.cli.main import invoke\ncode = invoke({list(arguments)})\n"
        f"{AFTERWARDS}\nsys.exit(code)"
    )


@pytest.mark.parametrize("module", HEAVY)
def test_nothing_heavy_can_be_imported_there(module: str) -> None:
    done = python(f"import {module}")
    assert done.returncode != 0
    assert f"No module named '{module}'" in done.stderr


@pytest.mark.parametrize("runtime", [[], ["--runtime", "native"]], ids=["auto", "native"])
def test_run(runtime: list[str]) -> None:
    done = motet("run", "motet-tiny", QUESTION, "--json", "--threads", "1", *runtime)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "85" in json.loads(done.stdout)["channels"]["Output"]


def test_run_of_a_converted_file(tmp_path: Path) -> None:
    file = str(tmp_path / "tiny.gguf")
    assert motet("convert", "motet-tiny", file, "--quant", "q8_0").returncode == 0
    done = motet("run", file, QUESTION, "--json", "--threads", "1")
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "85" in json.loads(done.stdout)["channels"]["Output"]


def test_inspect() -> None:
    done = motet("inspect", "--text", "Anna has three apples and buys two more.")
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "Skeptical (thought)" in done.stdout


def test_load() -> None:
    done = python(
        'import motet\nprint(motet.load().ask("What is 47 + 38?").channels["Output"])\n'
        + AFTERWARDS
    )
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert "85" in done.stdout


def test_the_other_runtime_says_what_it_lacks() -> None:
    done = motet("run", "motet-tiny", QUESTION, "--runtime", "torch")
    assert done.returncode == 2
    assert "motet: runtime torch: expected PyTorch and transformers, got no " in done.stderr


def needed_by(requirements: list[str]) -> set[str]:
    """Names of all packages that these requirements bring along, as installed here."""
    found: set[str] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            waiting += [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            pytest.fail(f"{name} is required and not installed")
    return found


def test_the_base_install_brings_nothing_heavy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    base = needed_by(project["dependencies"])
    assert {"numpy", "ggml-python", "tokenizers"} <= base
    assert not base & set(HEAVY)
    assert set(HEAVY) & needed_by(project["optional-dependencies"]["torch"])
