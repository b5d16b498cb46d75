from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.run.little import write_dataset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dataset in `data`."""
    write_dataset(tmp_path / "data")
    return tmp_path
