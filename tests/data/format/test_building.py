"""Making a dataset: stopped anywhere and gone on with, it is the same; nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from motet.data.building import UNFINISHED, Building, Written
from motet.data.dataset import DATASET_FILE, MadeBy
from motet.data.tables import TableDataset, TableWriter, table_description, write_tables
from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from tests.data.format.conversations import (
    CHANNELS,
    MADE_BY,
    contents,
    hello,
    write_tables_to,
)
from tests.data.format.drawn import (
    counted,
    write_grids_to,
)

TABLES = [hello(str(i), 2 + i % 3) for i in range(11)]


class Stopped(Exception):  # noqa: N818
    pass


def stop_writing(path: Path, num_before: int) -> None:
    with TableWriter(path, CHANNELS, MADE_BY, shard_rows=8) as writer:
        for table in TABLES[:num_before]:
            writer.write(table)
        raise Stopped


@pytest.mark.parametrize("num_before", [0, 1, 4, 5, 10, 11])
def test_a_stopped_writer_goes_on(tmp_path: Path, num_before: int) -> None:
    whole = write_tables_to(tmp_path / "whole", TABLES, shard_rows=8)
    path = tmp_path / "d"
    with pytest.raises(Stopped):
        stop_writing(path, num_before)
    with pytest.raises(DataError, match="run the command that makes it to its end"):
        TableDataset.open(path)
    with TableWriter(path, CHANNELS, MADE_BY, shard_rows=8) as writer:
        assert num_before - 4 <= writer.num_done <= num_before
        for table in TABLES[writer.num_done :]:
            writer.write(table)
    assert contents(path) == contents(whole.path)
    assert [table.id for table in TableDataset.open(path).read()] == [t.id for t in TABLES]


def test_grids_go_on_as_tables_do(tmp_path: Path) -> None:
    grids = [counted(str(i)) for i in range(7)]
    write_grids_to(tmp_path / "whole", grids, shard_rows=8)
    unfit = TokenGrid("x", np.full((1, len(CHANNELS)), -1, np.int32))
    with pytest.raises(DataError, match="grid x"):
        write_grids_to(tmp_path / "d", [*grids[:5], unfit], shard_rows=8)
    write_grids_to(tmp_path / "d", grids, shard_rows=8)
    assert contents(tmp_path / "d") == contents(tmp_path / "whole")


def test_a_finished_dataset_is_not_made_again(tmp_path: Path) -> None:
    write_tables_to(tmp_path / "d", TABLES)
    before = contents(tmp_path / "d")
    with TableWriter(tmp_path / "d", CHANNELS, MADE_BY) as writer:
        assert writer.num_done == len(TABLES)
        assert writer.building.is_finished
    assert contents(tmp_path / "d") == before


def test_other_settings_are_refused_before_and_after_the_end(tmp_path: Path) -> None:
    other = MadeBy(command=("test", "--other"))
    Building.begin(tmp_path / "begun", table_description(CHANNELS, MADE_BY))
    write_tables_to(tmp_path / "done", TABLES)
    for name in ("begun", "done"):
        before = contents(tmp_path / name)
        with pytest.raises(DataError, match="give another directory"):
            Building.begin(tmp_path / name, table_description(CHANNELS, other))
        with pytest.raises(DataError, match="channels: "):
            Building.begin(tmp_path / name, table_description(CHANNELS[:2], MADE_BY))
        assert contents(tmp_path / name) == before


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="new or empty directory, got other files"):
        write_tables_to(tmp_path, TABLES)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}
    with pytest.raises(DataError, match="got a file"):
        write_tables_to(tmp_path / "thesis.txt", TABLES)


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    building = Building.begin(tmp_path / "d", table_description(CHANNELS, MADE_BY))
    building.make(0, lambda file: write_tables(file, TABLES))
    (tmp_path / "d" / UNFINISHED / "00000.json").write_text('{"shard": 1}')
    with pytest.raises(DataError, match=r"00000\.json: shard"):
        building.record(0)


def test_a_part_that_is_missing_is_no_end(tmp_path: Path) -> None:
    building = Building.begin(tmp_path / "d", table_description(CHANNELS, MADE_BY))
    building.make(1, lambda file: write_tables(file, TABLES))
    with pytest.raises(DataError, match="shard 0: expected a record"):
        building.finish(2)
    assert not building.is_finished


def test_a_part_of_which_nothing_is_left_is_no_shard(tmp_path: Path) -> None:
    def nothing(file: BinaryIO) -> Written:
        return Written(write_tables(file, []).num_conversations, 0, {"too long": 3})

    building = Building.begin(tmp_path / "d", table_description(CHANNELS, MADE_BY))
    building.make(0, nothing)
    building.make(1, lambda file: write_tables(file, TABLES))
    done = building.finish(2)
    assert [shard.file for shard in done.shards] == ["tables-00001.jsonl.gz"]
    assert done.left_out == {"too long": 3}
    assert sorted(contents(tmp_path / "d")) == [DATASET_FILE, "tables-00001.jsonl.gz"]


SCRIPT = """
import sys, time
from pathlib import Path
from motet.data.tables import TableWriter
from tests.data.format.conversations import CHANNELS, MADE_BY, hello
with TableWriter(Path(sys.argv[1]), CHANNELS, MADE_BY, shard_rows=40) as writer:
    for i in range(writer.num_done, 200):
        writer.write(hello(str(i)))
        if i % 10 == 0:
            print(i, flush=True)
        time.sleep(0.002)
"""


@pytest.mark.slow
def test_killed_anywhere_and_started_again_it_is_the_same(tmp_path: Path) -> None:
    write_tables_to(tmp_path / "whole", [hello(str(i)) for i in range(200)], shard_rows=40)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "d")]
    last_seen = -1
    for num_lines in (3, 9):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(num_lines)]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert int(lines[0]) >= last_seen - 14  # at most one open shard is lost
        last_seen = int(lines[-1])
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert contents(tmp_path / "d") == contents(tmp_path / "whole")
    assert json.loads((tmp_path / "d" / DATASET_FILE).read_bytes())["num_conversations"] == 200
