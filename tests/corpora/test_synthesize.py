"""`motet data synthesize` from end to end, against real servers: one prepared, one of our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from motet.cli.main import invoke
from motet.data.tables import TableDataset
from tests.corpora.conversations import GOOD, numbered
from tests.corpora.writer_server import Body, Reply, WriterServer
from tests.server.process import ROOT, ServerProcess

SHORT_PROMPT = """
name = "short"
version = 1
purpose = "As short as can be."
system = "Rows."
user = "Write {{ what }}."
[[channels]]
name = "User"
role = "input"
[[channels]]
name = "Output"
role = "output"
[limits]
max_rows = 10
max_cell_words = 3
[slots]
what = ["a row", "two rows"]
"""


def by_seed(body: Body, _: int) -> Reply:
    """A good conversation of its own for every seed; a third are broken, and mended when asked."""
    number = body["seed"] % 1_000
    good = numbered(number, is_planted="makes one mistake" in body["messages"][1]["content"])
    if number % 3 == 0 and len(body["messages"]) == 2:
        return Reply(good.replace('{"Output": "He', '"Output": "He'))
    return Reply("I'm sorry." if number % 7 == 0 else good, pause_s=0.001 * (number % 5))


def run(capsys: pytest.CaptureFixture[str], out: Path, url: str, *options: object) -> Any:
    """The exit code, the line of JSON on stdout, and stderr."""
    capsys.readouterr()
    fixed = ["--url", url, "--model", "m", "--cache", out.parent / "cache"]
    code = invoke(["data", "synthesize", str(out), *map(str, [*fixed, *options])])
    said = capsys.readouterr()
    facts = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    return code, facts[0] if facts else None, said.err


def files_of(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in dataset.iterdir()}


def test_good_broken_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with WriterServer(by_seed) as server:
        code, facts, _ = run(capsys, tmp_path / "a", server.url, "--num", 12, "--concurrency", 4)
    assert code == 0
    assert facts["kept"] == 12
    assert facts["requests"] == len(server.asked) == facts["answers"]
    assert facts["prompt_tokens"] == 100 * len(server.asked)
    assert set(facts["dropped"]) <= {"no_rows"}
    dataset = TableDataset.open(tmp_path / "a")
    tables = list(dataset.read())
    assert len(tables) == 12
    assert dataset.description.left_out == facts["dropped"]
    assert [channel.name for channel in tables[0].channels] == [
        "User", "Output", "Think", "Skeptical"
    ]  # fmt: skip
    assert all(table.messages("Output") == ["He has 7 apples."] for table in tables)
    assert len({table.id for table in tables}) == len({str(table.rows) for table in tables}) == 12
    planted = [table for table in tables if table.meta.get("planted")]
    assert {bool(t.meta["values"]["mistake"]) for t in planted} == {True}
    mended = [table for table in tables if table.meta["answers"] == 2]
    assert mended
    assert {table.meta["source"] for table in tables} == {"synthesize"}
    asked_again = [body for body in server.asked if len(body["messages"]) == 4]
    assert {body["messages"][2]["role"] for body in asked_again} == {"assistant"}
    told = [body["messages"][3]["content"] for body in asked_again]
    assert any("not well-formed" in text for text in told)


def test_the_dataset_is_the_same_for_any_concurrency_and_any_interruption(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with WriterServer(by_seed) as server:
        for name, concurrency in (("one", 1), ("many", 16)):
            options = ["--num", 15, "--concurrency", concurrency]
            cache = ["--cache", "none"]
            code, _, _ = run(capsys, tmp_path / name, server.url, *options, *cache)
            assert code == 0
        steps, num_before = tmp_path / "steps", len(server.asked)
        for max_requests in (3, 7, 8, 20, 60):
            options = ["--num", 15, "--concurrency", 5, "--max-requests", max_requests]
            code, facts, complaint = run(capsys, steps, server.url, *options)
            if facts["kept"] < 15:
                assert code == 2
                assert "budget" in complaint
                assert facts["requests"] == max_requests == len(server.asked) - num_before
                assert not (steps / "dataset.json").exists()
        assert code == 0
        num_asked = len(server.asked)
        code, again, _ = run(capsys, steps, server.url, *options)
        assert (code, again) == (0, facts)
        assert len(server.asked) == num_asked
    one = files_of(tmp_path / "one")
    assert files_of(tmp_path / "many") == one
    assert files_of(steps) == one


def test_what_was_answered_is_not_paid_for_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with WriterServer(by_seed) as server:
        run(capsys, tmp_path / "a", server.url, "--num", 5)
        num_asked = len(server.asked)
        _, facts, _ = run(capsys, tmp_path / "b", server.url, "--num", 5, "--max-requests", 0)
    assert len(server.asked) == num_asked
    assert (facts["kept"], facts["requests"]) == (5, 0)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_any_moment(
    by: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real process that is ended while it asks, started again: the same dataset."""

    def slow(body: Body, number: int) -> Reply:
        reply = by_seed(body, number)
        reply.pause_s = 0.1
        return reply

    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    out = tmp_path / "killed"
    with WriterServer(slow) as server:
        options = ["--url", server.url, "--model", "m", "--num", "12", "--concurrency", "3"]
        cache = ["--cache", str(tmp_path / "cache")]
        command = [sys.executable, "-m", "motet", "data", "synthesize", str(out), *options, *cache]
        process = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        attempts = out.with_name("killed.attempts.jsonl")
        deadline = time.monotonic() + 60
        while not attempts.exists() or len(attempts.read_bytes().splitlines()) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(by)
        _, told = process.communicate()
        if by is signal.SIGINT:
            assert (process.returncode, told.splitlines()[-1]) == (130, "motet: interrupted")
        before = len(attempts.read_bytes().splitlines())
        code, facts, _ = run(capsys, out, server.url, "--num", 12, "--concurrency", 3)
        assert code == 0
        assert facts["kept"] == 12
        assert len(attempts.read_bytes().splitlines()) > before
        run(capsys, tmp_path / "whole", server.url, "--num", 12)
    assert files_of(out) == files_of(tmp_path / "whole")


def test_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The User says what was given, and a wrong answer is not kept."""
    questions = tmp_path / "questions.jsonl"
    lines = [
        {"id": f"q{n}", "question": f"Tom{n} has 3 apples and buys 4. How many?", "answer": answer}
        for n, answer in enumerate(["#### 7", "8", 7])
    ]
    questions.write_text("\n".join(map(json.dumps, lines)))

    def answer(body: Body, _: int) -> Reply:
        user = body["messages"][1]["content"]
        number = next(n for n in range(3) if f"Tom{n}" in user)
        assert f"The answer is {[7, 8, 7][number]}." in user
        return Reply(numbered(number, is_planted="makes one mistake" in user))

    with WriterServer(answer) as server:
        code, facts, _ = run(capsys, tmp_path / "a", server.url, "--questions", questions)
    assert code == 0
    assert (facts["kept"], facts["dropped"]) == (2, {"wrong_answer": 1})
    metas = [table.meta for table in TableDataset.open(tmp_path / "a").read()]
    assert [(meta["question_id"], meta["answer"]) for meta in metas] == [("q0", "7"), ("q2", "7")]


def test_shares_of_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with WriterServer(lambda body, _: Reply(numbered(body["seed"]))) as server:
        prompts = ["--prompt", "problem=3", "--prompt", "talk@1"]
        run(capsys, tmp_path / "a", server.url, "--num", 40, *prompts)
    labels = [table.meta["prompt"] for table in TableDataset.open(tmp_path / "a").read()]
    assert 20 <= labels.count("problem@1") < 40
    assert set(labels) == {"problem@1", "talk@1"}


def test_without_seeds_every_conversation_is_still_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal requests of several conversations are not answered by one answer in the cache."""
    prompt = tmp_path / "short.toml"
    prompt.write_text(SHORT_PROMPT.replace('["a row", "two rows"]', '["a row"]'))

    def answer(body: Body, number: int) -> Reply:
        assert "seed" not in body
        return Reply(f'{{"User": "Is it {number}?<end>"}}\n{{}}\n{{"Output": "No.<end>"}}')

    with WriterServer(answer) as server:
        options = ["--num", 6, "--no-seed", "--prompt", prompt, "--concurrency", 1]
        assert run(capsys, tmp_path / "a", server.url, *options)[0] == 0
        assert run(capsys, tmp_path / "b", server.url, *options)[0] == 0
        assert len(server.asked) == 6
    said = [table.messages("User") for table in TableDataset.open(tmp_path / "a").read()]
    assert said == [[f"Is it {number}?"] for number in range(6)]
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_a_server_that_takes_nothing_ends_the_work_and_costs_no_conversation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    takes_nothing = True

    def answer(body: Body, number: int) -> Reply:
        return Reply(status=400) if takes_nothing else by_seed(body, number)

    out, options = tmp_path / "a", ["--num", 4, "--max-requests", 30]
    with WriterServer(answer) as server:
        code, _, complaint = run(capsys, out, server.url, *options)
        assert code == 2
        assert "status 400" in complaint
        assert len(server.asked) <= 8
        takes_nothing = False
        code, facts, _ = run(capsys, out, server.url, *options)
        assert code == 0
        assert "not_taken" not in facts["dropped"]
        assert facts["requests"] <= len(server.asked)
        run(capsys, tmp_path / "whole", server.url, *options)
    assert files_of(out) == files_of(tmp_path / "whole")


def test_a_request_that_is_not_taken_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(body: Body, number: int) -> Reply:
        return Reply(status=400) if body["seed"] % 3 == 0 else by_seed(body, number)

    with WriterServer(answer) as server:
        for name, concurrency in (("a", 1), ("b", 8)):
            options = ["--num", 6, "--concurrency", concurrency]
            code, facts, _ = run(capsys, tmp_path / name, server.url, *options)
            assert code == 0
            assert facts["dropped"]["not_taken"] >= 1
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(GOOD, finish="length"), "cut_off"),
        (Reply("No.", finish="content_filter"), "refused"),
        (Reply(None, refusal="No."), "refused"),
        (Reply(""), "no_rows"),
    ],
)
def test_nothing_kept_is_no_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reply: Reply, reason: str
) -> None:
    with WriterServer(lambda body, number: reply) as server:
        options = ["--num", 2, "--max-requests", 6]
        code, facts, _ = run(capsys, tmp_path / "a", server.url, *options)
    assert code == 2
    assert facts["kept"] == 0
    assert set(facts["dropped"]) == {reason}
    assert not (tmp_path / "a").exists()


def test_other_settings_are_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with WriterServer(by_seed) as server:
        run(capsys, tmp_path / "a", server.url, "--num", 2)
        num_asked = len(server.asked)
        code, _, complaint = run(capsys, tmp_path / "a", server.url, "--num", 2, "--seed", 1)
        assert code == 2
        assert "seed" in complaint
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "thesis.txt").write_text("mine")
        code, _, complaint = run(capsys, tmp_path / "b", server.url, "--num", 2)
        assert code == 2
        assert "other files" in complaint
        assert len(server.asked) == num_asked


def test_a_request_can_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "a")
    options = ["--url", "http://127.0.0.1:9", "--model", "m", "--print-request"]
    assert invoke(["data", "synthesize", out, *options]) == 0
    request = json.loads(capsys.readouterr().out)
    assert request["url"] == "http://127.0.0.1:9/v1"
    assert [message["role"] for message in request["body"]["messages"]] == ["system", "user"]
    assert list(tmp_path.iterdir()) == []


def test_the_key_is_sent_and_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "hush-hush")
    with WriterServer(by_seed) as server:
        run(capsys, tmp_path / "a", server.url, "--num", 2, "--api-key-env", "MY_KEY")
    assert set(server.keys) == {"Bearer hush-hush"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert all(b"hush-hush" not in path.read_bytes() for path in written)


@pytest.mark.slow
def test_our_own_server_with_the_embedded_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It can't write tables; every attempt is dropped, each with a reason, and the budget kept."""
    prompt = tmp_path / "short.toml"
    prompt.write_text(SHORT_PROMPT)
    process = ServerProcess(tmp_path / "log", "--journal", "none")
    try:
        options = ["--prompt", prompt, "--num", 3, "--max-requests", 8, "--max-answer", 60]
        code, facts, complaint = run(
            capsys, tmp_path / "a", process.url, *options, "--model", "motet-tiny"
        )
    finally:
        process.close()
    assert code == 2
    assert "budget" in complaint
    assert (facts["kept"], facts["requests"]) == (0, 8)
    assert facts["answer_tokens"] > 0
    assert set(facts["dropped"]) <= {"no_rows", "cut_off", "not_taken"}
