"""`motet eval gsm8k`, `jsonl` and `compare`, as they are typed, on the embedded model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from motet.bench.serve.process import served
from motet.cli.main import invoke
from motet.eval.questions.judging import Outcome, judge
from motet.formats.directory import EMBEDDED
from tests.server.process import ROOT

SUMS = [(n, f"What is {n} + {n + 3}?", 2 * n + 3) for n in range(11, 19)]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Six sums that the model knows, two with a wrong answer."""
    file = tmp_path / "sums.jsonl"
    lines = [{"id": i, "question": q, "answer": a if i < 17 else 1} for i, q, a in SUMS]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


class Ran:
    """What a command did in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        capsys.readouterr()
        self.code = invoke(["eval", *map(str, arguments)])
        told = capsys.readouterr()
        self.out, self.err = told.out, told.err

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out.splitlines()[-1])

    @property
    def complaint(self) -> str:
        assert (self.code, self.out) == (2, ""), self.out
        assert self.err.count("\n") == 1, self.err
        return self.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *arguments: Ran(capsys, *arguments)


def test_figures_of_the_embedded_model(run: Any, questions: Path) -> None:
    ran = run("jsonl", EMBEDDED, questions, "--threads", 1)
    found = ran.json
    assert (found["model"], found["n"], found["samples"]) == (EMBEDDED, 8, 1)
    assert found["outcomes"]["wrong"] >= 2
    assert 4 <= found["outcomes"]["right"] <= 6
    assert found["accuracy"]["share"] == found["outcomes"]["right"] / 8
    assert found["wait_rows"]["median"] >= 2
    assert set(found["channels"]) == {"Output", "Think", "Skeptical"}
    assert "rows in all" in ran.out
    assert "failures: " in ran.out


def test_a_run_goes_on_and_grows(run: Any, questions: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "r.jsonl", tmp_path / "r.html"
    knobs = ("--temperature", 0.7, "--threads", 1, "--output", output)
    run("jsonl", EMBEDDED, questions, "--limit", 3, *knobs)
    more = run("jsonl", EMBEDDED, questions, "--samples", 2, *knobs, "--report", report)
    assert "3 of 16 are there already" in more.err
    again = run("jsonl", EMBEDDED, questions, "--samples", 2, *knobs, "--batch-size", 3)
    assert again.err == ""  # nothing was left to ask
    whole = run("jsonl", EMBEDDED, questions, "--samples", 2, *knobs[:-2])
    for key in ("accuracy", "majority", "any_right", "rows", "channels", "outcomes"):
        assert more.json[key] == again.json[key] == whole.json[key]
    assert "others (settings.sampling.temperature)" in run(
        "jsonl", EMBEDDED, questions, "--temperature", 0.8, "--output", output
    ).complaint  # fmt: skip
    assert_is_a_page(report, "What is 11 + 14?")


def assert_is_a_page(report: Path, text: str) -> None:
    """Well-formed, with plots, and nothing that it would load."""
    opened: list[str] = []
    void = {"meta", "br"}

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[Any]) -> None:
            assert not {"src", "href"} & {name for name, _ in attributes}
            if tag not in void:
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    page = report.read_text("utf-8")
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert opened == []
    assert page.count("<svg") >= 4
    assert text in page


def test_what_a_model_says_is_text_in_the_report(run: Any, tmp_path: Path) -> None:
    file, report = tmp_path / "q.jsonl", tmp_path / "r.html"
    file.write_text(json.dumps({"question": "<script>x</script>?", "answer": "<b>"}) + "\n")
    run("jsonl", EMBEDDED, file, "--threads", 1, "--report", report)
    page = report.read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_gsm8k_from_a_folder(run: Any, tmp_path: Path) -> None:
    answer = "She has 3 + 4 = <<3+4=7>>7 pens.\n#### 7"
    line = json.dumps({"question": "Lena has 3 pens and buys 4. How many?", "answer": answer})
    (tmp_path / "test.jsonl").write_text(line + "\n", "utf-8")
    found = run("gsm8k", EMBEDDED, "--data", tmp_path, "--threads", 1, "--json").json
    assert (found["n"], found["outcomes"]["right"]) == (1, 1)
    assert "no " in run("gsm8k", EMBEDDED, "--data", tmp_path / "none").complaint


def test_think_is_worth_its_rows(run: Any, questions: Path, tmp_path: Path) -> None:
    ran = run(
        "compare", EMBEDDED, EMBEDDED, "--questions", questions, "--set-b", "ablate=Think",
        "--threads", 1, "--output", tmp_path / "c",
    )  # fmt: skip
    found = ran.json
    assert found["a"]["outcomes"]["right"] >= 4
    assert found["b"]["outcomes"]["right"] == found["only_b"] == 0
    assert found["difference"]["interval_95"][0] > 0
    assert found["mcnemar_p"] == 2 / 2 ** found["only_a"]
    files = [tmp_path / "c.a.jsonl", tmp_path / "c.b.jsonl"]
    from_files = run("compare", *files).json
    complaint = run("compare", *files, "--max-rows", 9).complaint
    assert "--max-rows: expected a model to ask, got two files of results" in complaint
    for key in ("only_a", "mcnemar_p", "difference", "rows_difference"):
        assert from_files[key] == found[key]
    swapped = run("compare", files[1], EMBEDDED, "--questions", questions, "--threads", 1).json
    assert swapped["only_b"] == found["only_a"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("jsonl", EMBEDDED, "none.jsonl"), "no such file"),
        (("jsonl", EMBEDDED, "Q", "--prompt", "hi"), "--prompt: expected {question} in it"),
        (("jsonl", EMBEDDED, "Q", "--report", "x.txt"), "--report: expected a file ending in"),
        (("jsonl", EMBEDDED, "Q", "--output", "no/x"), "--output: expected a file in a folder"),
        (("jsonl", EMBEDDED, "Q", "--samples", 2), "samples: expected 1 with temperature 0"),
        (("jsonl", EMBEDDED, "Q", "--ablate", "User"), "expected a sampled channel"),
        (("jsonl", EMBEDDED, "Q", "--api", "chat"), "--api: expected a server's URL with it"),
        (("jsonl", "http://127.0.0.1:9", "Q", "--dtype", "float32"), "--dtype: expected a model"),
        (("jsonl", "http://127.0.0.1:9", "Q"), "expected a server"),
        (("jsonl", EMBEDDED, "Q", "--answer-field", "solution"), "sums.jsonl:1: expected a field"),
        (("compare", EMBEDDED, EMBEDDED), "--questions: expected a file, to ask a model"),
        (("compare", "a.jsonl", EMBEDDED, "--questions", "Q"), "A: expected a file of results"),
        (("compare", EMBEDDED, EMBEDDED, "--questions", "Q", "--set-a", "hats=3"), "--set-a"),
        (("compare", EMBEDDED, EMBEDDED, "--questions", "Q", "--set-b", "top_k=x"), "--set-b"),
    ],
)
def test_mistakes_are_told(
    run: Any, questions: Path, arguments: tuple[object, ...], complaint: str
) -> None:
    named = [questions if argument == "Q" else argument for argument in arguments]
    assert complaint in run(*named).complaint


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(EMBEDDED, 4, ["--threads", "1"]) as url:
        yield url


@pytest.mark.slow
def test_a_server_answers_as_the_model_does(run: Any, questions: Path, server: str) -> None:
    """More asked at once than it has places: the others are asked again."""
    here = run("jsonl", EMBEDDED, questions, "--threads", 1).json
    live = run("jsonl", server, questions, "--batch-size", 6).json
    for key in ("model", "accuracy", "ended", "outcomes", "rows", "wait_rows", "channels"):
        assert live[key] == here[key]
    chat = run("jsonl", server, questions, "--api", "chat").json
    for key in ("model", "accuracy", "ended", "outcomes"):
        assert chat[key] == here[key]
    assert chat["rows"] is None


@pytest.mark.slow
def test_a_server_keeps_nothing_of_what_was_asked(run: Any, questions: Path, server: str) -> None:
    run("jsonl", server, questions, "--ablate", "Skeptical").json  # noqa: B018
    assert httpx.get(f"{server}/health").json()["sessions"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("api", ["live", "chat"])
def test_a_question_that_a_server_does_not_take_is_named(
    run: Any, tmp_path: Path, server: str, api: str
) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"question": "why? " * 2000, "answer": 1}) + "\n", "utf-8")
    ran = run("jsonl", server, file, "--api", api)
    assert ran.code == 2
    assert f"{file}:1" in ran.err.splitlines()[-1]


@pytest.mark.slow
def test_what_lm_evaluation_harness_sends_is_answered(server: str) -> None:
    """The fields of its local-chat-completions and local-completions (0.4.13), as it fills them."""
    task = ROOT / "runs" / "lm-eval"
    lines = (task / "word_problems.jsonl").read_text("utf-8").splitlines()
    problems = [json.loads(line) for line in lines]
    assert all(judge(p["answer"], p["answer"]).outcome is Outcome.RIGHT for p in problems)
    knobs = {"model": EMBEDDED, "max_tokens": 400, "temperature": 0, "stop": [], "seed": 1234}
    texts = [problem["question"] for problem in problems[:2]]
    chat = knobs | {"messages": [{"role": "user", "content": texts[0]}]}
    reply = httpx.post(f"{server}/v1/chat/completions", json=chat, timeout=60).json()
    answers = httpx.post(
        f"{server}/v1/completions", json=knobs | {"prompt": texts}, timeout=60
    ).json()
    assert [choice["index"] for choice in answers["choices"]] == [0, 1]
    assert answers["choices"][0]["text"] == reply["choices"][0]["message"]["content"]


def test_no_torch_is_needed(questions: Path) -> None:
    code = (
        "import sys; from motet.cli.main import invoke\n"
        f"assert invoke(['eval', 'jsonl', 'motet-tiny', {str(questions)!r}, '--limit', '1']) == 0\n"
        "assert not {'torch', 'transformers', 'pyarrow', 'matplotlib'} & set(sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=300)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(questions: Path, tmp_path: Path, run: Any) -> None:
    output = tmp_path / "r.jsonl"
    arguments = ["jsonl", EMBEDDED, str(questions), "--samples", "5", "--temperature", "0.7"]
    arguments += ["--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "motet", "eval", *arguments, "--output", str(output)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    while not (output.exists() and output.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    num_done = output.read_bytes().count(b"\n")
    assert num_done < 40
    resumed = run(*arguments, "--output", output)
    assert f"{num_done} of 40 are there already" in resumed.err
    whole = run(*arguments)
    for key in ("accuracy", "majority", "rows", "channels", "outcomes"):
        assert resumed.json[key] == whole.json[key]
