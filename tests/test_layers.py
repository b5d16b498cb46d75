"""The layers that pyproject.toml declares hold: no part imports what stands above it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _import_path() -> Iterator[None]:
    """import-linter finds packages by `sys.path` and leaves what it adds there."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def holds(config: Path) -> bool:
    configure()
    return bool(lint_imports(config_filename=str(config), cache_dir=None, no_logo=True))


def test_layers_hold(capsys: pytest.CaptureFixture[str]) -> None:
    kept = holds(ROOT / "pyproject.toml")
    assert kept, capsys.readouterr().out


def test_layers_are_checked(tmp_path: Path) -> None:
    """Turned upside down, the same contract is broken: it does look at the imports."""
    upside_down = tmp_path / "pyproject.toml"
    upside_down.write_text(
        """
        [tool.importlinter]
        root_package = "motet"
        [[tool.importlinter.contracts]]
        name = "upside down"
        type = "layers"
        layers = ["motet.errors", "motet.streams", "motet.runtime"]
        """
    )
    assert not holds(upside_down)
