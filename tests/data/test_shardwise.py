"""Work on many shards: in order, whoever does it, and an end to it if somebody dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motet.data.shardwise import each_shard
from motet.errors import DataError


def squared(shard: int) -> int:
    time.sleep(0.01 * (shard % 3))
    return shard**2


def broken(shard: int) -> int:
    if shard == 3:
        raise DataError("shard 3", expected="nothing of the kind")
    return shard


def deadly(shard: int) -> int:
    if shard == 2:
        os._exit(1)
    return shard


@pytest.mark.parametrize("num_processes", [1, 3])
def test_results_come_in_order(num_processes: int) -> None:
    assert list(each_shard(squared, 9, num_processes)) == [n**2 for n in range(9)]
    assert list(each_shard(squared, 0, num_processes)) == []


def test_the_first_mistake_ends_it() -> None:
    results = each_shard(broken, 50, 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="shard 3"):
        next(results)


def test_a_death_is_told() -> None:
    with pytest.raises(DataError, match="died"):
        list(each_shard(deadly, 5, 2))


_PARENT = """
import sys, time
from motet.data.shardwise import each_shard
from tests.data.test_shardwise import told

if __name__ == "__main__":
    list(each_shard(told, 4, 2))
"""


def told(_: int) -> None:
    print(os.getpid(), flush=True)
    time.sleep(60)


@pytest.mark.slow
def test_nobody_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    script = tmp_path / "parent.py"
    script.write_text(_PARENT, "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    children = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in children):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    parent.stdout.close()
