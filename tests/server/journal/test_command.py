from __future__ import annotations

import json
from pathlib import Path

import pytest

from motet.cli.main import invoke
from motet.server.journal import Entry, Journal, default_journal
from motet.streams.grid import Grid
from tests.server.journal.records import files_of, record
from tests.server.journal.test_transcripts import EVENTS, OPENING, TALK


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        for name in ("old", "new"):
            journal.create(record(name, title=f"{name} \x1b[2Jants"))
        journal.append([Entry("new", e.seq, e.row, e.model_dump_json()) for e in EVENTS])
    return path


def test_sessions_are_listed_also_while_a_server_runs(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(path):
        assert invoke(["sessions", "list", "--journal", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["new", "old"]
    assert "\x1b" not in "".join(lines)
    assert invoke(["sessions", "list", "--journal", str(path), "--json"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["id"], first["events"]) == ("new", 5)


def test_more_sessions_than_are_read_at_once_are_all_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "many.db"
    with Journal(path) as journal:
        for number in range(230):
            journal.create(record(f"s{number}"))
    assert invoke(["sessions", "list", "--journal", str(path)]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [f"s{number}" for number in reversed(range(230))]


def test_a_session_is_exported_in_every_form_also_while_a_server_runs(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(path):
        base = ["sessions", "export", "new", "--journal", str(path)]
        assert invoke(base) == 0
        text = capsys.readouterr().out
        assert "Output  It is\n" in text
        assert "\x1b" not in text
        assert invoke([*base, "--format", "json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["rows"]) == 6
        assert invoke([*base, "--format", "text", "--out", str(tmp_path / "t.txt")]) == 0
        assert (tmp_path / "t.txt").read_text("utf-8") == text
        assert invoke([*base, "--format", "grid", "--out", str(tmp_path / "g.npz")]) == 0
    grid = Grid.load(tmp_path / "g.npz")
    assert grid.tokens_RC.tolist() == [list(row.ids) for row in (OPENING, *TALK)]


def test_a_session_is_deleted_for_good(path: Path) -> None:
    assert b"2+3?" in files_of(path)
    assert invoke(["sessions", "delete", "new", "--journal", str(path)]) == 0
    assert b"2+3?" not in files_of(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["export", "nobody"], "`motet sessions list` names, got 'nobody'"),
        (["delete", "nobody"], "`motet sessions list` names, got 'nobody'"),
        (["export", "new", "--format", "grid"], "add --out FILE"),
        (["export", "new", "--out", "/nowhere/x"], "/nowhere/x"),
    ],
)
def test_mistakes_are_told_in_one_line(
    path: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["sessions", *arguments, "--journal", str(path)]) == 2
    told = capsys.readouterr().err
    assert reason in told
    assert told.count("\n") == 1


def test_deleting_under_a_running_server_is_refused(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(path) as journal:
        assert invoke(["sessions", "delete", "new", "--journal", str(path)]) == 2
        assert "one in use" in capsys.readouterr().err
        assert journal.get("new") is not None


def test_no_command_makes_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["list"], ["export", "x"], ["delete", "x"]):
        assert invoke(["sessions", *command, "--journal", str(tmp_path / "no.db")]) == 2
        assert "no such file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_the_journal_is_the_one_that_the_server_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_journal() == tmp_path / "motet" / "journal.sqlite"
    assert invoke(["sessions", "list"]) == 2
    assert str(default_journal()) in capsys.readouterr().err
    default_journal().parent.mkdir()
    with Journal(default_journal()) as journal:
        journal.create(record("a", title="here"))
    assert invoke(["sessions", "list"]) == 0
    assert capsys.readouterr().out.startswith("a ")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert default_journal() == Path.home() / ".local" / "state" / "motet" / "journal.sqlite"
