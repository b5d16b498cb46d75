"""The card's figures are those of its own step, by channel."""

from __future__ import annotations

import json
from pathlib import Path

from motet.train.measured import figures_at, measured

LINES = [
    {"step": 2, "loss": 9.0, "plain_loss": 3.0, "loss/Output": 2.0, "spoken_right": 0.5},
    {"step": 2, "eval_loss": 1.25, "eval_loss/Output": 1.5, "eval_accuracy": 0.5, "eval_ended": 1,
     "eval_mute": 0.0, "eval_rows_per_reply": 12.0, "eval_num_questions": 20.0},
    {"step": 4, "loss": 1.0, "plain_loss": 1.0, "eval_loss": 0.1},
]  # fmt: skip


def test_figures_of_later_steps_are_not_those_of_the_best_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(map(json.dumps, LINES)), "utf-8")
    text = measured(figures_at(path, 3), ["User", "Output"])
    assert "| | all | Output |" in text
    assert "| cross-entropy, nats | 1.2500 | 1.5000 |" in text
    assert "| cross-entropy, nats | 3.0000 | 2.0000 |" in text  # not 9, the weighted one
    assert "| likeliest token right where something is said | 50.0% |  |" in text
    assert "| answered right | 50.0% | 29.9% to 70.1% |" in text
    assert "0.1000" not in text
    assert "0.1000" in measured(figures_at(path, 4), ["User", "Output"])


def test_a_run_without_figures_has_none(tmp_path: Path) -> None:
    assert figures_at(tmp_path / "none", 3) == {}
    assert measured({}, ["Output"]) == ""
