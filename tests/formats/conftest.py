"""Model directories that the tests of this folder only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.models import STOCK, write_own, write_published, write_stock


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`lfm2moe`, `lfm2`, `qwen3` and `llama` are stock; `own` and `published` have channels."""
    folder = tmp_path_factory.mktemp("directories")
    for name, make in STOCK.items():
        write_stock(folder / name, make())
    write_own(folder / "own")
    write_published(folder / "published")
    return folder


@pytest.fixture(params=[*STOCK, "own", "published"])
def directory(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Every kind of directory."""
    return folder / str(request.param)


@pytest.fixture(params=STOCK)
def stock(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Every architecture."""
    return folder / str(request.param)
