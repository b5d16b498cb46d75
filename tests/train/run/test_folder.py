"""The folder of a run and its checkpoints: whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.train.checkpoints import Checkpoints
from motet.train.folder import RunFolder


def nothing() -> None:
    """One process waits for nobody."""


def test_lines_after_the_checkpoint_and_half_lines_are_dropped(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.cut_metrics(3)
    assert not folder.metrics_file.exists()
    for step in (1, 2, 2, 3, 4):
        folder.add_metrics({"step": step, "loss": 0.5})
    with folder.metrics_file.open("a") as file:
        file.write('{"step": 5, "lo')
    folder.cut_metrics(3)
    lines = folder.metrics_file.read_text("utf-8").splitlines()
    assert [line[:10] for line in lines] == ['{"step": 1', '{"step": 2', '{"step": 2', '{"step": 3']


def checkpoints(folder: Path, keep: int = 2) -> Checkpoints:
    return Checkpoints(folder, keep, True, nothing)


def test_the_latest_and_the_best_are_kept(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    for step in (1, 5, 10, 20, 100):
        with kept.new(step, best_step=5 if step > 5 else None) as path:
            (path / "file").write_text("x")
    assert kept.steps() == [5, 20, 100]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-100", "checkpoint-20", "checkpoint-5",
    ]  # fmt: skip


def write_half(kept: Checkpoints) -> None:
    with kept.new(2, None) as path:
        (path / "file").write_text("x")
        raise OSError("full")


def test_what_fails_halfway_is_no_checkpoint(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    with kept.new(1, None) as path:
        (path / "file").write_text("x")
    with pytest.raises(OSError, match="full"):
        write_half(kept)
    assert kept.steps() == [1]
    with kept.new(3, None) as path:
        assert not list(path.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-1", "checkpoint-3"]


def test_a_checkpoint_may_be_written_again(tmp_path: Path) -> None:
    kept = checkpoints(tmp_path)
    for text in ("first", "second"):
        with kept.new(1, None) as path:
            (path / "file").write_text(text)
    assert (kept.path(1) / "file").read_text() == "second"


def test_the_folder_is_free_again_after_the_run(tmp_path: Path) -> None:
    for _ in range(2):
        with RunFolder(tmp_path).claimed():
            pass
