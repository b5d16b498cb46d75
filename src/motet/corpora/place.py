"""Where a dataset is to be: checked before anything is paid for."""

from __future__ import annotations

from pathlib import Path

from motet.data.building import UNFINISHED
from motet.data.dataset import DATASET_FILE
from motet.errors import DataError

__all__ = ["check_place"]


def check_place(path: Path) -> None:
    """DataError if there can't be a dataset at `path`; makes the folder that it is to lie in.

    One that is there already is no mistake: whether it is the same is seen when it is written.
    """
    if path.exists() and not path.is_dir():
        raise DataError("dataset", expected=f"a directory {path}", got="a file")
    names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if names and not names & {DATASET_FILE, UNFINISHED}:
        raise DataError(
            str(path), expected="a new or empty directory", got="other files in it",
            fix="give another directory",
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
