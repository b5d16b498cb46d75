"""`motet data generate`: the same dataset however it is made; what is stored is what was said."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from motet.cli.main import invoke
from motet.data.grids import GridDataset
from motet.data.tables import TableDataset
from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Target
from motet.data.tiny.generate import Generation, generated
from motet.data.tiny.mixture import held_out_problems
from motet.data.tiny.stored import layout_of, table_of
from motet.formats.directory import EMBEDDED, resolve
from motet.streams.codec import TOKENIZER_FILE, StreamCodec
from motet.streams.layout import Role

SMALL = ["--num-conversations", "90", "--shard-size", "20"]


@pytest.fixture(scope="module")
def embedded() -> Tokenizer:
    return Tokenizer.from_file(str(resolve(EMBEDDED) / TOKENIZER_FILE))


def generate(*arguments: object) -> int:
    return invoke(["data", "generate", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_any_number_of_processes_writes_the_same_bytes(tmp_path: Path) -> None:
    assert generate(tmp_path / "one", *SMALL) == 0
    assert generate(tmp_path / "two", *SMALL, "--processes", 2) == 0
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert [name for name in one if name.startswith("grids")] == [
        f"grids-{i:05d}.parquet" for i in range(5)
    ]
    assert generate(tmp_path / "other", *SMALL, "--seed", 1) == 0
    assert contents(tmp_path / "other")["grids-00000.parquet"] != one["grids-00000.parquet"]


def test_a_killed_generation_goes_on(tmp_path: Path) -> None:
    size = ["--num-conversations", "480", "--shard-size", "20"]
    command = [sys.executable, "-m", "motet", "data", "generate", str(tmp_path / "killed"), *size]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (tmp_path / "killed" / "grids-00001.parquet").exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "dataset.json").exists()
    assert generate(tmp_path / "killed", *size) == 0
    assert generate(tmp_path / "whole", *size) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_what_is_stored_is_what_was_generated(tmp_path: Path, embedded: Tokenizer) -> None:
    assert generate(tmp_path / "grids", *SMALL, "--decision-weight", 2.5) == 0
    dataset = GridDataset.open(tmp_path / "grids")
    dataset.check_fit(layout_of(embedded, Arrangement.STREAMS), dataset.tokenizer_sha256)
    assert len(dataset) == 90
    generation = Generation(num_conversations=90, conversations_per_shard=20)
    names_and_conversations = [
        one for shard in range(5) for one in generated(generation, embedded, shard)
    ]
    for grid, (name, conversation) in zip(dataset.read(), names_and_conversations, strict=True):
        assert grid.id == name
        assert np.array_equal(grid.tokens_RC, conversation.tokens_RC)
        targets_RC = conversation.targets_RC
        assert grid.learned_RC is not None
        assert np.array_equal(grid.learned_RC, targets_RC != Target.NONE)
        assert not grid.learned_RC[0].any()
        weights_RC = np.ones_like(grid.tokens_RC) if grid.weights_RC is None else grid.weights_RC
        assert set(weights_RC[targets_RC == Target.DECISION].tolist()) <= {2.5}
        assert set(weights_RC[targets_RC != Target.DECISION].tolist()) <= {1.0}


def test_tables_say_what_grids_hold(tmp_path: Path, embedded: Tokenizer) -> None:
    assert generate(tmp_path / "tables", *SMALL, "--as", "tables") == 0
    codec = StreamCodec(embedded, layout_of(embedded, Arrangement.STREAMS))
    generation = Generation(num_conversations=90, conversations_per_shard=20)
    num_unlearned = num_planted = 0
    for shard in range(5):
        for name, conversation in generated(generation, embedded, shard):
            table = table_of(conversation, name, codec)
            assert table.num_rows == len(conversation.tokens_RC) - 1
            for c, channel in enumerate(table.channels):
                column = conversation.tokens_RC[:, c].tolist()
                silent = (codec.silence_id, codec.end_id)
                assert "".join(table.messages(channel.name)) == codec.decode(
                    token for token in column if token not in silent
                )
                if channel.role is Role.INPUT:
                    assert "\n".join(table.messages(channel.name)) == codec.text(column)
            for channel_name, first, last in table.meta.get("unlearned", ()):
                c = [channel.name for channel in table.channels].index(channel_name)
                rows = conversation.targets_RC[first + 1 : last + 2, c]
                assert (rows == Target.NONE).all()
                num_unlearned += len(rows)
            num_planted += len(table.meta.get("planted", ()))
            for row in table.meta.get("planted", ()):
                assert any(n == "Think" and f <= row <= e for n, f, e in table.meta["unlearned"])
    assert num_unlearned
    assert num_planted
    read = list(TableDataset.open(tmp_path / "tables").read())
    assert len(read) == 90
    assert all(len(table.channels) == 4 for table in read)
    with gzip.open(tmp_path / "tables" / "tables-00000.jsonl.gz", "rt") as file:
        assert set(json.loads(file.readline())) == {"id", "rows", "meta"}


def test_a_sequence_has_one_channel_and_its_own_tokenizer(tmp_path: Path) -> None:
    options = ["--arrangement", "sequence", "--learn-tokenizer", 320, "--share", "sum=1"]
    assert generate(tmp_path / "grids", *SMALL, *options) == 0
    dataset = GridDataset.open(tmp_path / "grids")
    assert [channel.name for channel in dataset.channels] == ["Output"]
    assert dataset.description.vocabulary == 320
    assert dataset[0].meta["family"] == "sum"
    tokenizer = Tokenizer.from_file(str(tmp_path / "grids" / TOKENIZER_FILE))
    said = tokenizer.decode(dataset[0].tokens_RC[1:, 0].tolist(), skip_special_tokens=False)
    assert "<|answer|>" in said


@pytest.mark.parametrize("problems", ["development", "held-out"])
def test_problems_to_measure_with_are_those_that_figures_are_published_of(
    tmp_path: Path, problems: str
) -> None:
    options = ["--problems", problems, "--seed", 1, "--num-conversations", 170, "--shard-size", 60]
    assert generate(tmp_path / "q.jsonl", *options, "--as", "questions") == 0
    assert generate(tmp_path / "grids", *options) == 0
    tasks = held_out_problems(170, 1, development=problems == "development")
    lines = (tmp_path / "q.jsonl").read_text("utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines]
    assert asked == list(dict.fromkeys(task.question for task in tasks))
    grids = list(GridDataset.open(tmp_path / "grids").read())
    assert [grid.meta["question"] for grid in grids] == [task.question for task in tasks]
    assert not any("planted" in grid.meta for grid in grids)


def test_questions_are_each_asked_once_and_for_testing_only(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    options = ["--as", "questions", "--num-conversations", 400, "--split", "test"]
    assert generate(path, *options, "--share", "sum=1") == 0
    questions = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert 300 < len({q["question"] for q in questions}) == len(questions)
    assert all(q["answer"].isdigit() for q in questions)
    assert generate(path, *options, "--share", "sum=1") == 0, "it is there already"
    assert generate(path, *options) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--share", "poems=1"], "poems"),
        (["--share", "sum=2"], "0 to 1"),
        (["--share", "sum"], "NAME=SHARE"),
        (["--arrangement", "round"], "sequence-undoubted"),
        (["--split", "half"], "train or test"),
        (["--problems", "all"], "held-out"),
        (["--problems", "held-out", "--share", "sum=1"], "--share"),
        (["--templates", "heldout"], "train_"),
        (["--as", "tables", "--arrangement", "sequence"], "grids"),
        (["--learn-tokenizer", "400", "--tokenizer", "x.json"], "--tokenizer"),
        (["--tokenizer", "x.json"], "no such file"),
        (["--arrangement", "sequence"], "<|answer|>"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert generate(tmp_path / "none", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_another_dataset_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(tmp_path / "one", *SMALL) == 0
    before = contents(tmp_path / "one")
    assert generate(tmp_path / "one", *SMALL, "--seed", 9) == 2
    assert "another" in capsys.readouterr().err
    assert generate(tmp_path / "one", *SMALL) == 0
    assert contents(tmp_path / "one") == before
