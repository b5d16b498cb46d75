"""Real processes, really killed: at any moment, again and again, and the run is the same run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from motet.train.config.toml import to_toml
from tests.train.run import little

STEPS = 24
CHANGES: dict[str, Any] = {
    "schedule": {"num_steps": STEPS, "warmup_steps": 2},
    "checkpoints": {"every_steps": 2},
    "experts": {"balance_rate": 1e-3},
}


@contextmanager
def started(folder: Path, out: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`motet train` in a process group of its own; killed with all that it started at the end."""
    config = folder / "config.toml"
    config.write_text(to_toml(little.config(folder, **CHANGES)), "utf-8")
    command = [sys.executable, "-m", "motet", "train", str(config), "--output", str(folder / out)]
    with (folder / f"{out}.log").open("ab") as log:
        process = subprocess.Popen(
            [*command, *options], env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def num_lines(out: Path) -> int:
    file = out / "metrics.jsonl"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def wait_for(condition: Any, process: subprocess.Popen[bytes], patience_s: float = 120.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(folder: Path, out: str, *options: str) -> None:
    with started(folder, out, *options) as process:
        assert process.wait(timeout=180) == 0, (folder / f"{out}.log").read_text("utf-8")


@pytest.mark.slow
def test_killed_anywhere_it_is_the_same_run(folder: Path) -> None:
    finish(folder, "whole")
    rng = random.Random(os.environ.get("MOTET_KILL_SEED", "0"))
    out = folder / "parts"
    seen: list[int] = []
    for kill in range(4):
        with started(folder, "parts") as process:
            wanted = min(num_lines(out) + rng.randrange(2, 7), STEPS - 2)
            if kill == 1:  # while a checkpoint is being written
                wait_for(lambda: list(out.glob("checkpoints/.*.partial")), process)
            else:
                wait_for(lambda n=wanted: num_lines(out) >= n, process)
                time.sleep(rng.random() * 0.1)
            process.kill()
            process.wait()
        seen.append(num_lines(out))
    assert max(seen) > min(seen) > 0
    finish(folder, "parts")
    whole, parts = little.figures(folder / "whole"), little.figures(out)
    assert parts == whole
    assert [line["step"] for line in parts] == list(range(1, STEPS + 1))
    read = [line["conversations"] for line in parts]
    assert read == sorted(set(read))
    expected, got = (
        little.weights(folder / n / "last/model.safetensors") for n in ("whole", "parts")
    )
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert not list(out.rglob("*.partial"))


@pytest.mark.slow
def test_asked_to_stop_it_saves_and_goes_on(folder: Path) -> None:
    finish(folder, "whole")
    out = folder / "parts"
    with started(folder, "parts") as process:
        wait_for(lambda: num_lines(out) >= 3, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    log = (folder / "parts.log").read_text("utf-8")
    stopped = num_lines(out)
    assert f"stopped after step {stopped}; the same command goes on" in log
    assert (out / f"checkpoints/checkpoint-{stopped}").is_dir()
    assert not (out / "last").exists()
    finish(folder, "parts")
    assert little.figures(out) == little.figures(folder / "whole")


@pytest.mark.slow
def test_two_processes_train_as_one_and_are_killed_as_one(folder: Path) -> None:
    options = ("--set", "data.sequences_at_once=2", "--processes", "2")
    finish(folder, "alone")
    finish(folder, "whole", *options)
    for one, two in zip(
        little.figures(folder / "alone"), little.figures(folder / "whole"), strict=True
    ):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-2)
        assert two["conversations"] == one["conversations"]
    out = folder / "parts"
    with started(folder, "parts", *options) as process:
        wait_for(lambda: num_lines(out) >= 5, process)
        process.kill()  # only the one that launched the others
        process.wait()
    lines = num_lines(out)
    finish(folder, "parts", *options)
    assert lines >= 5
    assert little.figures(out) == little.figures(folder / "whole")
    expected, got = (
        little.weights(folder / n / "last/model.safetensors") for n in ("whole", "parts")
    )
    assert all(torch.equal(expected[name], got[name]) for name in expected)
