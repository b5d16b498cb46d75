"""`motet eval quant`: what it prints, what it refuses, and that its figures are the right ones."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from motet.cli.main import invoke
from motet.data.tiny.lines import Task
from motet.eval import quant as quant_module
from motet.eval.answers import Answers, Attempt
from motet.eval.passages import conversations_of, development_prompts
from motet.eval.quant import Study
from motet.formats.directory import EMBEDDED, read_directory
from motet.formats.quantize import Quant
from motet.runtime.native.kernels import best_level
from motet.runtime.native.paths import Kernels
from tests.cli.models import write_own, write_stock
from tests.laws.tolerance import OWN_OVER_STOCK, TRAINED, TRAINED_HALF_SUMS

HAS_OWN = best_level().is_fast
PROMPTS = "What is 12 + 7?\nWho are you?\n\nTom has 9 pens and buys 4 more. How many has he?\n"


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[list[str], Any]:
    """Lines before the JSON, and the JSON."""
    capsys.readouterr()
    assert invoke(["eval", "quant", *map(str, arguments), "--threads", "1"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    return lines, json.loads(last)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert invoke(["eval", "quant", *map(str, arguments)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    file.write_text(PROMPTS)
    return file


def test_the_embedded_model(capsys: pytest.CaptureFixture[str], prompts: Path) -> None:
    lines, found = printed(
        capsys, EMBEDDED, "--text", prompts, "--num-problems", 4, "--seed", 3,
        "--quant", "f16", "--quant", "q4_0", "--quant", "f16",
    )  # fmt: skip
    assert (found["model"], found["seed"]) == (EMBEDDED, 3)
    assert found["n"]["passages"] == 3
    assert found["n"]["problems"] == 4
    assert found["passages"] == str(prompts)
    assert {"command", "date", "motet", "hardware"} <= found.keys()
    assert found["hardware"]["cpu"]
    kinds = [(result["weights"], result["kernels"]) for result in found["results"]]
    assert len(kinds) == len(set(kinds))
    assert {("f16", "stock"), ("q4_0", "stock")} <= set(kinds)
    assert (("q4_0", "own") in kinds) == HAS_OWN
    half, quarter = (found["results"][kinds.index((name, "stock"))] for name in ("f16", "q4_0"))
    assert half["num_bytes"] > 2 * quarter["num_bytes"]
    assert half["kl"]["mean"] < 1e-2 * quarter["kl"]["mean"]
    for result in found["results"]:
        kl = result["kl"]
        assert kl["n"] == 3 * (found["n"]["rows"] - 3)
        assert 0 <= kl["interval_95"][0] <= kl["mean"] <= kl["interval_95"][1]
        assert kl["median"] <= kl["p99"]
        assert 0.9 < kl["same_top"] <= 1
        assert result["answers"]["n"] == 4
        assert (result["over_stock"] is None) == (result["kernels"] == "stock")
    shown = "\n".join(lines)
    assert shown.startswith(f"{EMBEDDED}: 3 passages of ")
    for name in ("mean KL", "same top", "gained", "f32, reference", "q4_0"):
        assert name in shown


def test_only_json_on_stdout(capsys: pytest.CaptureFixture[str], prompts: Path) -> None:
    lines, found = printed(
        capsys, EMBEDDED, "--text", prompts, "--quant", "f32", "--num-problems", 0, "--json"
    )
    assert lines == []
    assert found["reference"]["answers"] is None
    assert found["results"][0]["answers"] is None
    assert found["results"][0]["kl"]["mean"] < 1e-5


def test_types_that_no_row_fits_are_left_out(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Rows of 32 and 48: no blocks of 256."""
    directory = read_directory(write_own(tmp_path))
    fitting = [kind for kind in quant_module.QUANTS if quant_module.fits(directory, kind)]
    assert fitting == [Quant.F32, Quant.F16, Quant.Q8_0, Quant.Q4_0]
    told = refused(capsys, tmp_path, "--quant", "q8_0", "--quant", "q4_k")
    assert "q4_k weights: expected rows of a multiple of 256, got none in" in told


def test_without_a_choice_all_that_fit_are_measured(
    capsys: pytest.CaptureFixture[str], prompts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motet.cli.eval.QUANTS", (Quant.Q4_K, Quant.Q4_0))
    _, found = printed(capsys, EMBEDDED, "--text", prompts, "--num-problems", 0)
    assert {result["weights"] for result in found["results"]} == {"q4_0"}


def test_a_one_channel_model_reads_a_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    directory, file = write_stock(tmp_path), tmp_path / "text.txt"
    file.write_text("the fox and the hen ran to the red barn, and the dog sat in the sun. " * 60)
    _, found = printed(capsys, directory, "--text", file, "--quant", "q8_0")
    assert found["n"]["passages"] > 2
    assert found["results"][0]["kl"]["n"] == found["n"]["rows"] - found["n"]["passages"]
    assert "--text: expected a text for a model of one channel" in refused(capsys, directory)
    told = refused(capsys, directory, "--text", file, "--seed", 1)
    assert "--seed: expected none: nothing is drawn here, got 1" in told


def test_mistakes_are_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no-such-model" in refused(capsys, "no-such-model")
    assert "--text: expected a UTF-8" in refused(capsys, EMBEDDED, "--text", tmp_path / "none")
    (tmp_path / "one").write_text("Hello")
    told = refused(capsys, tmp_path / "one")
    assert "model: expected a directory" in told
    assert "motet convert makes a directory of it" in told
    told = refused(capsys, EMBEDDED, "--text", tmp_path / "one")
    assert "one: expected at least two prompts" in told


def test_files_vanish_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    directory = read_directory(EMBEDDED)
    with Study(directory, 1) as study:
        list(study.variants(Quant.Q8_0))
        assert len(list(tmp_path.rglob("*.gguf"))) == 2
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(quant_module, "load", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), Study(directory, 1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_gained_and_lost() -> None:
    task = Task("1 + 1?", (), "It is 2.", "2", "sum", "test")
    right, wrong = (Attempt(task, {"Output": text}, ended=True) for text in ("It is 2.", "3"))
    got = Answers.of([right, right, wrong, right], [right, wrong, right, wrong])
    assert (got.num_problems, got.num_right, got.gained, got.lost) == (4, 3, 2, 1)


@pytest.mark.slow
def test_the_embedded_model_stays_within_its_stated_divergence() -> None:
    """Law 16 in a trained model; and its own kernels, in its own conversations, as ggml's."""
    with Study(read_directory(EMBEDDED), 1) as study:
        passages = conversations_of(study.reference, development_prompts(1)[:32], 1)
        for name, most in TRAINED.items():
            found = {
                measured.kernels: measured
                for measured in study.measure(Quant(name), passages, [], [], lambda *_: _nothing)
            }
            assert (Kernels.OWN in found) == HAS_OWN
            for kernels, measured in found.items():
                adds_in_half = name == "f16" and kernels is Kernels.STOCK
                allowed = most + TRAINED_HALF_SUMS * adds_in_half
                assert measured.divergence.mean <= allowed, f"law 16: {name}, {kernels} kernels"
            if Kernels.OWN in found:
                own, stock = (found[kernels].divergence for kernels in Kernels)
                assert own.median <= OWN_OVER_STOCK * stock.median
                over = found[Kernels.OWN].over_stock
                assert over is not None
                assert over.interval.low <= 0


def _nothing() -> None:
    pass
