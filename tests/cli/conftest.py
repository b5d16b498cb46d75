"""Models on disk and the command line, in this process and in others."""

from __future__ import annotations

import functools
import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from motet.cli.main import invoke
from motet.engine import load
from tests.cli.models import write_own, write_published, write_stock

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line on stderr of a command that refused; nothing on stdout."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("motet: "), self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err


Motet = Callable[..., Result]


loaded_once = functools.cache(load)


@pytest.fixture
def motet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Motet:
    """Run a command in this process; a model that was loaded before is not loaded again."""
    monkeypatch.setattr("motet.cli.opening.load", loaded_once)

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        code = invoke([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model in our own format: User, Output, Think."""
    return write_own(tmp_path_factory.mktemp("models") / "own")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model in the published 4-channel format."""
    return write_published(tmp_path_factory.mktemp("models") / "published")


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random stock model."""
    return write_stock(tmp_path_factory.mktemp("models") / "stock")


@pytest.fixture
def process_env() -> dict[str, str]:
    """What a real process of the command needs, and no wish about colours or width."""
    unwanted = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TERM")
    env = {key: value for key, value in os.environ.items() if key not in unwanted}
    return env | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
