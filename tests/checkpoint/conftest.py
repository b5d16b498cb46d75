"""Model directories, written once; a test that breaks one works on a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checkpoint.directories import write_own, write_published, write_stock

Copy = Callable[[str], Path]


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One directory of each kind, by name."""
    root = tmp_path_factory.mktemp("originals")
    writers = {"own": write_own, "published": write_published, "stock": write_stock}
    return {name: write(root / name) for name, write in writers.items()}


@pytest.fixture
def copy_of(originals: dict[str, Path], tmp_path: Path) -> Copy:
    """A copy of the directory of a kind."""

    def copy(kind: str) -> Path:
        return Path(shutil.copytree(originals[kind], tmp_path / "model"))

    return copy
