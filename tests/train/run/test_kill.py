"""Real processes, really killed: at any moment, again and again, and the run is the same run."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
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
HALVES = ("--set", "data.sequences_at_once=2")

# Its children begin with everything imported, which takes most of the time of such a short run.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["motet.train.run", "motet.cli.train"])


def command(folder: Path, out: str, *options: str) -> list[str]:
    config = folder / "config.toml"
    config.write_text(to_toml(little.config(folder, **CHANGES)), "utf-8")
    return ["train", str(config), "--output", str(folder / out), *options]


def run_motet(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    os.setsid()
    os.environ |= environment | {"OMP_NUM_THREADS": "1"}
    torch.set_num_threads(1)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        from motet.cli.main import invoke

        code = invoke(arguments)
    os._exit(code)


@contextmanager
def started(folder: Path, out: str, *options: str, size: int = 1) -> Iterator[list[BaseProcess]]:
    """`motet train` in `size` processes; what still runs at the end is killed."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    processes: list[BaseProcess] = []
    for rank in range(size):
        environment = {}
        if size > 1:
            environment = {
                "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size),
                "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            }  # fmt: skip
        arguments = (command(folder, out, *options), folder / f"{out}.log", environment)
        processes.append(FORKS.Process(target=run_motet, args=arguments))
    for process in processes:
        process.start()
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.join()


def num_lines(out: Path) -> int:
    file = out / "metrics.jsonl"
    return len(file.read_bytes().splitlines()) if file.exists() else 0


def wait_for(condition: Callable[[], object], patience_s: float = 120.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(folder: Path, out: str, *options: str, size: int = 1) -> None:
    with started(folder, out, *options, size=size) as processes:
        for process in processes:
            process.join(timeout=180)
        codes = [process.exitcode for process in processes]
        assert codes == [0] * size, (folder / f"{out}.log").read_text("utf-8")


def assert_same_run(folder: Path, one: str, other: str) -> None:
    """To the last bit, whatever was logged and learned."""
    assert little.figures(folder / one) == little.figures(folder / other)
    expected, got = (
        little.weights(folder / name / "last/model.safetensors") for name in (one, other)
    )
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)


@pytest.mark.slow
def test_killed_anywhere_it_is_the_same_run(folder: Path) -> None:
    finish(folder, "whole")
    rng = random.Random(os.environ.get("MOTET_KILL_SEED", "0"))
    out = folder / "parts"
    seen: list[int] = []
    for kill in range(5):
        with started(folder, "parts") as (process,):
            wanted = min(num_lines(out) + rng.randrange(2, 6), STEPS - 2)
            if kill == 1:  # while a checkpoint is being written
                wait_for(lambda: list(out.glob("checkpoints/.*.partial")) or not process.is_alive())
            else:
                wait_for(lambda n=wanted: num_lines(out) >= n or not process.is_alive())  # type: ignore[misc]
                time.sleep(rng.random() * 0.1)
            process.kill()
            process.join()
            assert process.exitcode == -signal.SIGKILL, (folder / "parts.log").read_text("utf-8")
        seen.append(num_lines(out))
    assert max(seen) > min(seen) > 0
    finish(folder, "parts")
    assert_same_run(folder, "whole", "parts")
    lines = little.figures(out)
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert lines[-1]["conversations"] > 60 * 2  # more than two epochs
    assert not list(out.rglob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_saves_and_goes_on(folder: Path, number: signal.Signals) -> None:
    out = folder / "parts"
    with started(folder, "parts") as (process,):
        wait_for(lambda: num_lines(out) >= 3)
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(timeout=60)
        assert process.exitcode == 130
    stopped = num_lines(out)
    log = (folder / "parts.log").read_text("utf-8")
    assert f"stopped after step {stopped}; the same command goes on" in log
    assert (out / f"checkpoints/checkpoint-{stopped}").is_dir()
    assert not (out / "last").exists()
    finish(folder, "parts")
    finish(folder, "whole")
    assert_same_run(folder, "whole", "parts")


@pytest.mark.slow
def test_two_processes_train_as_one_and_go_on_to_the_last_bit(folder: Path) -> None:
    finish(folder, "alone")
    finish(folder, "whole", *HALVES, size=2)
    for one, two in zip(
        little.figures(folder / "alone"), little.figures(folder / "whole"), strict=True
    ):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=2e-2)
        assert two["conversations"] == one["conversations"]
    with started(folder, "parts", *HALVES, size=2) as processes:
        wait_for(lambda: num_lines(folder / "parts") >= 5)
        processes[1].kill()
        processes[0].kill()
    finish(folder, "parts", *HALVES, size=2)
    assert_same_run(folder, "whole", "parts")
    # the data of a run is the same for any number of processes, so it can go on with another one
    with started(folder, "mixed", *HALVES, size=2) as processes:
        wait_for(lambda: num_lines(folder / "mixed") >= 5)
    finish(folder, "mixed")
    alone, mixed = (little.figures(folder / name) for name in ("alone", "mixed"))
    assert [line["conversations"] for line in mixed] == [line["conversations"] for line in alone]
    assert mixed[-1]["loss"] == pytest.approx(alone[-1]["loss"], rel=5e-3)


@pytest.mark.slow
def test_asked_in_one_process_both_stop_after_the_same_step(folder: Path) -> None:
    out = folder / "out"
    with started(folder, "out", *HALVES, size=2) as processes:
        wait_for(lambda: num_lines(out) >= 3)
        assert processes[1].pid is not None
        os.kill(processes[1].pid, signal.SIGTERM)
        for process in processes:
            process.join(timeout=60)
        assert [process.exitcode for process in processes] == [130, 130]
    assert (out / f"checkpoints/checkpoint-{num_lines(out)}").is_dir()


@pytest.mark.slow
def test_when_the_launcher_is_killed_nobody_is_left(folder: Path) -> None:
    arguments = command(folder, "out", *HALVES, "--processes", "2")
    log = folder / "launch.log"

    def launched() -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "motet", *arguments], stdout=file, stderr=file,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    launcher = launched()
    try:
        wait_for(lambda: num_lines(folder / "out") >= 3 or launcher.poll() is not None)
        children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
        assert len(children) == 2, log.read_text("utf-8")
    finally:
        launcher.kill()
        launcher.wait()
    wait_for(lambda: not any(Path(f"/proc/{child}/cmdline").exists() for child in children), 20)
    launcher = launched()  # the folder is free
    try:
        assert launcher.wait(timeout=180) == 0, log.read_text("utf-8")
    finally:
        launcher.kill()
        launcher.wait()
    steps = [line["step"] for line in little.lines(folder / "out")]
    assert steps == list(range(1, STEPS + 1))
