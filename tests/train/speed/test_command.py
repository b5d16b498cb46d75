"""`motet bench train` from end to end: two real processes that train."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from motet.bench.vocabulary import channels_layout
from motet.cli.main import invoke
from motet.errors import BenchError
from motet.formats.hyperparameters import Architecture
from motet.train.objective.config import ObjectiveConfig
from motet.train.speed import Comparison, Seconds, Setting, Side, StepWork, TrainingProcess
from tests.train.speed.test_work import TINY


@pytest.mark.slow
def test_measures_and_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    words = "bench train --rows 12 --conversations 2 --repeats 1 --threads 1 --checkpointing"
    assert invoke(words.split()) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "model           shape of motet-tiny, RANDOM WEIGHTS, no model"
    assert [line.split("  ")[0] for line in out[1:-1]] == [
        "a step", "implied", "without LongCE", "with LongCE", "LongCE costs",
    ]  # fmt: skip
    record = json.loads(out[-1])
    assert record["setting"]["num_targets"] == (12 - 2) * 3
    assert record["setting"]["checkpointing"] is True
    assert 1.0 < record["implied"]["ratio"] < 4 / 3
    for side in ("plain", "long"):
        assert len(record[side]["steps"]) == 1
        assert record[side]["times_limit"]["cpu"] > 1.0
        assert record[side]["peak_bytes"] > 50e6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("motet-tiny --shape lfm2-350m", "expected MODEL or --shape, got both"),
        ("--rows 4000", "--rows: expected at most 2048, got 4000"),
        ("--rows 9 --conversations 5", "--conversations: expected at most 4, got 5"),
        ("--shape lfm3", "expected lfm2.5-8b-a1b or"),
    ],
)
def test_mistakes(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["bench", "train", *words.split()]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_ends_is_an_error_in_one_line() -> None:
    alien = replace(TINY, architecture=Architecture.LLAMA, num_kv_heads=(2, 2))
    setting = Setting(alien, channels_layout(2), 1, 8)
    with (
        TrainingProcess(setting, ObjectiveConfig()) as process,
        pytest.raises(BenchError, match="expected an answer to step, got its end, exit code 1"),
    ):
        process.step()


def test_ratios_are_of_steps_taken_together() -> None:
    one = Seconds(1e-9, 2e-9)
    work = StepWork(forward=100_000_000, counterfactual=75_000_000)
    long = Side((Seconds(9, 3), Seconds(4, 4), Seconds(6, 5)), work.long, one, 110)
    plain = Side((Seconds(3, 2), Seconds(2, 2), Seconds(4, 4)), work.plain, one, 100)
    compared = Comparison(Setting(TINY, channels_layout(4), 1, 10), work, long, plain)
    assert compared.ratio == (2.0, 1.5)
    assert compared.memory_ratio == pytest.approx(1.1)
    assert work.ratio == 1.25
    assert long.step_s == (6, 4)
    assert plain.limit_s == pytest.approx((0.3, 0.6))
    assert plain.times_limit == pytest.approx((10, 10 / 3))
