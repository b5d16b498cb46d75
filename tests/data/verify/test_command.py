"""`motet data verify` and `motet data mix` on whole datasets, of tables and of grids."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from motet.cli.main import invoke
from motet.data.conversations import Conversations
from motet.data.dataset import MadeBy
from motet.data.grids import GridDataset
from motet.data.readable import table_of as text_of
from motet.data.table import Table
from motet.data.tables import TableDataset, TableWriter
from motet.data.tokenize import tokenize
from motet.data.verify.messages import messages_of
from motet.formats.directory import EMBEDDED, read_directory
from motet.streams.codec import StreamCodec
from tests.corpora.writer_server import Body, Reply, WriterServer
from tests.data.verify.conversations import CHANNELS, silent, table_of

QUESTION = "A| merchant| sells| 47| apples| and| then| 38| more| of| them| before| noon|.$"
THINKS = silent(16) + "47|+|38|=|85|.$"
REPLIES = silent(24) + "They| are| 85|.$"


def good(name: str, reply: str = REPLIES) -> Table:
    return table_of(QUESTION.replace("merchant", name), reply, THINKS, name=name)


FAULTY = [
    good("doubled"),
    Table("wrong", CHANNELS, table_of(QUESTION, REPLIES, THINKS.replace("85", "86")).rows, {}),
    table_of("It| is| about| 12|.$", "", silent(2) + "12|.$", name="early"),
]


def tables() -> list[Table]:
    unlike = [f"{word} " * 3 + "have| 7| of| these| here|.$" for word in ("Cats", "Dogs", "Men")]
    others = [table_of(text, silent(8) + "7|.$", name=f"other{i}") for i, text in enumerate(unlike)]
    copy = Table("copy", CHANNELS, FAULTY[0].rows, {})
    return [FAULTY[0], others[0], copy, *FAULTY[1:], *others[1:]]


def write(path: Path, content: Sequence[Table], shard_rows: int = 40) -> Path:
    with TableWriter(path, CHANNELS, MadeBy(command=("test",)), shard_rows=shard_rows) as writer:
        for table in content:
            writer.write(table)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write(tmp_path / "tables", tables())


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    """Exit code, the line of JSON, and all that was printed."""
    capsys.readouterr()
    code = invoke(["data", *map(str, arguments)])
    said = capsys.readouterr()
    facts = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    return code, facts[0] if facts else None, said.out + said.err


def kinds(facts: Any) -> dict[str, int]:
    return {f["kind"]: f["num_conversations"] for f in facts["findings"] if f["is_fault"]}


def test_every_kind_of_fault_is_found(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exam = tmp_path / "exam.jsonl"
    exam.write_text(json.dumps({"question": "Dogs dogs dogs have 7 of these"}) + "\n", "utf-8")
    code, facts, said = run(
        capsys, "verify", dataset, "--against", exam, "--report", tmp_path / "r.jsonl"
    )
    assert code == 0
    assert kinds(facts) == {"unread": 1, "wrong": 1, "exact": 1, "ngram": 1}
    assert facts["num_conversations"] == 7
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines()]
    by_id = {f["conversation"]: f["kind"] for f in found if f["is_fault"]}
    assert by_id["copy"] == "exact"
    assert by_id["early"] == "unread"
    assert by_id["other1"] == "ngram"
    assert "early Think row 2: unread: '12', which the User says in row 3" in said


def test_any_number_of_processes_finds_the_same(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for processes in (1, 2):
        report = tmp_path / f"{processes}.jsonl"
        _, facts, _ = run(
            capsys, "verify", dataset, "--report", report, "--keep", tmp_path / f"k{processes}",
            "--processes", processes,
        )  # fmt: skip
        reports.append((facts, report.read_bytes()))
    assert reports[0] == reports[1]
    files = [sorted(p.name for p in (tmp_path / f"k{n}").iterdir()) for n in (1, 2)]
    assert files[0] == files[1]
    for name in files[0]:
        assert (tmp_path / "k1" / name).read_bytes() == (tmp_path / "k2" / name).read_bytes()


def test_what_is_kept_has_no_fault(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, facts, _ = run(capsys, "verify", dataset, "--keep", tmp_path / "clean")
    kept = TableDataset.open(tmp_path / "clean")
    assert [table.id for table in kept.read()] == ["doubled", "other0", "other1", "other2"]
    assert facts["num_faulty"] == 7 - 4
    code, facts, _ = run(capsys, "verify", tmp_path / "clean", "--strict")
    assert code == 0
    assert facts["num_faulty"] == 0


def test_strict_fails(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, "verify", dataset, "--strict")
    assert code == 2
    assert "expected no faults, got 3 conversations with one" in said


def test_only_some_checks(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, facts, _ = run(capsys, "verify", dataset, "--check", "arithmetic")
    assert facts["checks"] == ["arithmetic"]
    assert kinds(facts) == {"wrong": 1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check", "spelling"], "expected arithmetic or causality or duplicates or overlap"),
        (["--check", "overlap"], "--against FILE"),
        (["--judge", "http://127.0.0.1:1/v1"], "the name of the judge"),
        (["--against", "none.jsonl"], "evaluation set: expected none.jsonl"),
    ],
)
def test_mistakes(
    dataset: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = run(capsys, "verify", dataset, *arguments)
    assert code == 2
    assert message in said


def test_a_broken_dataset_is_named(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for shard in dataset.glob("tables-00001*"):
        shard.write_bytes(b"not gzip")
    code, _, said = run(capsys, "verify", dataset, "--processes", 2)
    assert code == 2
    assert "tables-00001.jsonl.gz: expected a whole gzip file" in said


def test_grids_are_read_with_their_tokenizer(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = run(capsys, "tokenize", dataset, tmp_path / "grids", "--model", EMBEDDED)
    assert code == 0
    code, _, said = run(capsys, "verify", tmp_path / "grids")
    assert code == 2
    assert "a model whose tokenizer can read its tokens" in said
    _, facts, _ = run(
        capsys, "verify", tmp_path / "grids", "--model", EMBEDDED, "--keep", tmp_path / "clean"
    )
    assert kinds(facts) == {"unread": 1, "wrong": 1, "exact": 1}
    kept = GridDataset.open(tmp_path / "clean")
    assert [kept[i].id for i in range(len(kept))] == ["doubled", "other0", "other1", "other2"]


def test_a_grid_reads_back_as_its_table() -> None:
    directory = read_directory(EMBEDDED)
    codec = StreamCodec.load(directory.path, directory.layout)
    for table in [*tables(), table_of("é漢字🙂| ok|.$|Again", "  x|\n\ty$")]:
        back = text_of(tokenize(table, codec), codec)
        for channel in range(len(CHANNELS)):
            texts = [(m.text, m.is_ended) for m in messages_of(back, channel)]
            assert texts == [(m.text, m.is_ended) for m in messages_of(table, channel)]


def test_a_mixture_is_written_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "first", [good(f"a{n}") for n in range(12)])
    second = write(tmp_path / "second", [good(f"b{n}") for n in range(30)])
    made = []
    for processes in (1, 2):
        out = tmp_path / f"mix{processes}"
        code, _, said = run(
            capsys, "mix", first, second, out, "--weights", "2:1", "--num", 24, "--seed", 3,
            "--per-shard", 10, "--processes", processes,
        )  # fmt: skip
        assert code == 0
        assert "first: 16 drawn of 12, 1.33 times each" in said
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    ids = [table.id for table in TableDataset.open(tmp_path / "mix1").read()]
    assert len(ids) == 24
    assert {name for name in ids if name.startswith("first/")} == {f"first/a{n}" for n in range(12)}
    assert sum(name.startswith("second/") for name in ids) == 8
    assert Conversations(tmp_path / "mix1").num_shards == 3


def test_what_cannot_be_mixed(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "tokenize", dataset, tmp_path / "grids", "--model", EMBEDDED)
    code, _, said = run(capsys, "mix", dataset, tmp_path / "grids", tmp_path / "m")
    assert code == 2
    assert "motet data tokenize makes grids" in said
    with TableWriter(tmp_path / "two", CHANNELS[:2], MadeBy(command=("test",))) as writer:
        writer.write(Table("t", CHANNELS[:2], table_of("a", "b").rows[:0], {}))
    code, _, said = run(capsys, "mix", dataset, tmp_path / "two", tmp_path / "m")
    assert code == 2
    assert "channels: expected User (input), Output (output), Think" in said
    code, _, said = run(capsys, "mix", dataset, dataset, tmp_path / "m", "--weights", "2:x")
    assert code == 2
    assert "numbers, as 2:1:0.5" in said
    assert not (tmp_path / "m").exists()


def judging(body: Body, _: int) -> Reply:
    system, user = (message["content"] for message in body["messages"])
    assert "Output, Think, Skeptical" in system
    if '"Think": "12"' in user:
        return Reply('Sure. {"foresight": [{"row": 2, "channel": "Think", "uses": "12"}]} Done.')
    if "Cats" in user:
        return Reply("I do not know.")
    if "Dogs" in user:
        return Reply('{"foresight": [{"row": 99, "channel": "Think", "uses": "x"}]}')
    return Reply('{"foresight": []}')


def test_a_judge_is_asked(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with WriterServer(judging) as server:
        code, facts, _ = run(
            capsys, "verify", dataset, "--check", "duplicates", "--judge", server.url,
            "--judge-model", "m", "--report", tmp_path / "r.jsonl",
        )  # fmt: skip
        num_asked = len(server.asked)
        again = run(
            capsys, "verify", dataset, "--check", "duplicates", "--judge", server.url,
            "--judge-model", "m",
        )[1]  # fmt: skip
        assert len(server.asked) == num_asked  # it is remembered
    assert code == 0
    assert facts["judge"] == {"model": "m", "num_judged": 6}
    assert facts == again
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text("utf-8").splitlines()]
    judged = {f["conversation"]: (f["kind"], f["row"]) for f in found if f["check"] == "judge"}
    assert judged == {"early": ("foresight", 2), "other0": ("unjudged", None),
                      "other1": ("unjudged", None)}  # fmt: skip


def test_so_many_are_judged_evenly(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with WriterServer(lambda _, __: Reply('{"foresight": []}')) as server:
        _, facts, _ = run(
            capsys, "verify", dataset, "--judge", server.url, "--judge-model", "m",
            "--judge-num", 2,
        )  # fmt: skip
        asked = [body["messages"][1]["content"] for body in server.asked]
    assert facts["judge"]["num_judged"] == 2
    assert len(asked) == 2
    assert not any('"Think": "12"' in text for text in asked)  # it has a fault already


def test_a_judge_that_is_not_there(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with WriterServer(lambda _, __: Reply(status=401)) as server:
        code, _, said = run(capsys, "verify", dataset, "--judge", server.url, "--judge-model", "m")
    assert code == 2
    assert "401" in said
