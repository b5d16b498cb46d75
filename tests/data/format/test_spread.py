"""Many processes make the same bytes as one; mistakes and deaths in them come back as errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from motet.data.building import Building, Record, Written
from motet.data.cluster import spread_on_cluster
from motet.data.dataset import TableDescription
from motet.data.spread import spread
from motet.data.tables import TableDataset, table_description, write_tables
from motet.errors import DataError
from tests.data.format.conversations import (
    CHANNELS,
    MADE_BY,
    contents,
    hello,
)

NUM_PARTS = 7


@dataclass(frozen=True)
class Greetings:
    """Shard i has i conversations. fails_at: where the input is broken; dies_at: where it ends."""

    fails_at: int | None = None
    dies_at: int | None = None
    delay_s: float = 0.0

    def __call__(self, index: int, file: BinaryIO) -> Written:
        if index == self.fails_at:
            raise DataError(f"part {index}", expected="a whole line")
        if index == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.delay_s)
        return write_tables(file, [hello(f"{index}-{i}") for i in range(index)])


def begin(path: Path) -> Building[TableDescription]:
    return Building.begin(path, table_description(CHANNELS, MADE_BY))


def test_any_number_of_processes_makes_the_same_bytes(tmp_path: Path) -> None:
    for name, num_processes in (("one", 1), ("two", 2)):
        records: list[Record] = []
        done = spread(
            begin(tmp_path / name), NUM_PARTS, Greetings(),
            num_processes=num_processes, advance=records.append,
        )  # fmt: skip
        assert len(records) == NUM_PARTS
        assert done.num_conversations == 21
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    ids = [table.id for table in TableDataset.open(tmp_path / "two").read()]
    assert ids == [f"{index}-{i}" for index in range(NUM_PARTS) for i in range(index)]


@pytest.mark.parametrize("num_processes", [1, 2])
def test_a_mistake_in_a_part_is_told_and_the_rest_stays(tmp_path: Path, num_processes: int) -> None:
    building = begin(tmp_path / "d")
    with pytest.raises(DataError, match="part 5: expected a whole line"):
        spread(building, NUM_PARTS, Greetings(fails_at=5), num_processes=num_processes)
    assert not building.is_finished
    made = [i for i in range(NUM_PARTS) if building.record(i) is not None]
    assert 5 not in made
    assert 0 in made
    records: list[Record] = []
    spread(building, NUM_PARTS, Greetings(), advance=records.append)
    assert len(records) == NUM_PARTS - len(made)
    spread(begin(tmp_path / "whole"), NUM_PARTS, Greetings())
    assert contents(tmp_path / "d") == contents(tmp_path / "whole")


def test_a_process_that_dies_is_an_error_not_a_hang(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a process that made a shard died; if memory ran out"):
        spread(begin(tmp_path / "d"), NUM_PARTS, Greetings(dies_at=3), num_processes=2)


SCRIPT = """
import sys
from pathlib import Path
from motet.data.spread import spread
from tests.data.format.test_spread import Greetings, begin
if __name__ == "__main__":
    print("begun", flush=True)
    spread(begin(Path(sys.argv[1])), 30, Greetings(delay_s=0.1), num_processes=2,
           advance=lambda _: print("made", flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_none_outlives_a_stopped_command_and_the_next_goes_on(
    tmp_path: Path, sent: signal.Signals
) -> None:
    script = tmp_path / "make.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "d")], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(3)] == ["begun\n", "made\n", "made\n"]
    process.send_signal(sent)
    process.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while _is_anyone_left(process.pid):
        assert time.monotonic() < deadline, "a process that helped is still there"
        time.sleep(0.05)
    assert len(list((tmp_path / "d").glob("*.gz"))) < 30
    for name in ("d", "whole"):
        spread(begin(tmp_path / name), 30, Greetings())
    assert contents(tmp_path / "d") == contents(tmp_path / "whole")


def _is_anyone_left(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::ray", "ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_makes_the_same_bytes(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
    try:
        spread_on_cluster(begin(tmp_path / "ray"), NUM_PARTS, Greetings())
        with pytest.raises(DataError, match="part 5: expected a whole line"):
            spread_on_cluster(begin(tmp_path / "broken"), NUM_PARTS, Greetings(fails_at=5))
    finally:
        ray.shutdown()
    spread(begin(tmp_path / "one"), NUM_PARTS, Greetings())
    assert contents(tmp_path / "one") == contents(tmp_path / "ray")
