"""Configuration files: everything is read, nothing is ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.errors import SettingError
from motet.train.tiny.config import OptimConfig, TrainConfig, read_config
from motet.train.tiny.grow import layer_sources
from motet.train.tiny.optimizers import rate_at

RUN = Path(__file__).parents[3] / "runs" / "motet-tiny"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return path


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, "")) == TrainConfig()


def test_values_arrive_where_they_belong(tmp_path: Path) -> None:
    text = "seed = 7\n[optim]\nmuon_lr = 1\n[data.shares]\nsum = 0.5\n"
    config = read_config(write(tmp_path, text))
    assert (config.seed, config.optim.muon_lr, config.data.shares.sum) == (7, 1.0, 0.5)
    assert type(config.optim.muon_lr) is float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead = 1", "sead: expected one of seed"),
        ("[optim]\nlr = 1", "optim: lr: expected one of num_steps"),
        ("[data.shares]\npoems = 1", "poems"),
        ('seed = "1"', "seed: expected int"),
        ("seed = true", "seed: expected int"),
        ("optim = 3", "optim: expected a section"),
        ("seed = ", "expected TOML"),
    ],
)
def test_a_fault_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        read_config(write(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no such file"):
        read_config(tmp_path / "none.toml")


def test_the_recipe_is_readable_and_grows() -> None:
    small, large = (read_config(RUN / name).model for name in ("small.toml", "config.toml"))
    assert len(layer_sources(small.layers, large.layers, large.num_dense_layers)) == 8
    assert small.num_experts < large.num_experts


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    config = OptimConfig(num_steps=100, warmup_steps=10, decay_steps=20)
    rates = [rate_at(step, config) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert set(rates[9:81]) == {1.0}
    assert rates[90] == pytest.approx(0.5)
    assert rates[100] == 0.0
