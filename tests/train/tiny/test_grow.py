"""A grown model begins as the smaller one was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from motet.errors import SettingError
from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.whole import WholeGrids
from motet.train.tiny.checkpoint import load_checkpoint
from motet.train.tiny.config import TrainConfig
from motet.train.tiny.grow import grow, layer_sources, widen_experts
from motet.train.tiny.loop import CHECKPOINT_FILE, train
from motet.train.tiny.model import build_model
from motet.train.tiny.vocabulary import prepare_tokenizer


@pytest.fixture
def small(config: TrainConfig) -> TrainConfig:
    return replace(config, model=replace(config.model, layers="cacac"))


def logits(config: TrainConfig, folder: Path) -> torch.Tensor:
    model = build_model(config.model, prepare_tokenizer(config, folder)).eval()
    load_checkpoint(folder / CHECKPOINT_FILE, model)
    tokens = torch.arange(40).reshape(1, 40)
    streams = WholeGrids(1, 10, 4, model.layout.conv_mode, tokens.device)
    assert isinstance(model, MultiStreamModel)
    with torch.no_grad():
        return model.head(model.hidden(tokens, streams))


def test_added_layers_change_nothing_at_first(small: TrainConfig, tmp_path: Path) -> None:
    train(small, tmp_path / "small", stop_at=2)
    large = replace(small, model=replace(small.model, layers="caccac"))
    grow(small, tmp_path / "small", large, tmp_path / "large")
    before, after = logits(small, tmp_path / "small"), logits(large, tmp_path / "large")
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_a_grown_run_goes_on_and_its_new_layers_learn(small: TrainConfig, tmp_path: Path) -> None:
    train(small, tmp_path / "small", stop_at=2)
    large = replace(small, model=replace(small.model, layers="caccac", num_experts=6))
    grow(small, tmp_path / "small", large, tmp_path / "large")
    path = tmp_path / "large" / CHECKPOINT_FILE
    name = "base.model.layers.3.feed_forward.experts.down_proj"
    begun = torch.load(path)["model"][name]
    train(large, tmp_path / "large", stop_at=2)
    learned = torch.load(path)["model"][name]
    assert begun.shape == (6, 16, 8)
    assert not begun.any()
    assert learned.any()


def test_copies_of_experts_differ_from_what_they_copy() -> None:
    weights_E = torch.randn(4, 8, 8)
    wide_E = widen_experts(weights_E, [2, 0])
    assert torch.equal(wide_E[:4], weights_E)
    for copy, source in ((4, 2), (5, 0)):
        assert 0 < (wide_E[copy] - weights_E[source]).std() < 0.5 * weights_E.std()
    bias_E = torch.arange(4.0)
    assert widen_experts(bias_E, [2, 0]).tolist() == [0, 1, 2, 3, 2, 0]


def test_where_layers_come_from() -> None:
    assert layer_sources("cacaca", "cacacaca") == [
        (0, False), (1, False), (2, False), (3, False), (2, True), (3, True), (4, False), (5, False)
    ]  # fmt: skip
    with pytest.raises(SettingError, match="copies of its layers"):
        layer_sources("cac", "cacc", num_dense=1)
    for impossible in ("caca", "cacacacc", "cxcaca", "accacaca"):
        with pytest.raises(SettingError, match="copies of its layers behind place 4"):
            layer_sources("cacaca", impossible)
