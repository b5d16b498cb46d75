"""A grown model begins as the smaller one was, and its new parts learn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from motet.errors import SettingError
from motet.formats.directory import read_directory
from motet.runtime.torch.checkpoint import load_model
from motet.train.run import train
from motet.train.start import open_start
from motet.train.start.grow import layer_sources, widen_experts
from tests.train.run import little


def grown(folder: Path, **grow: Any) -> Any:
    start = {"new": None, "start": str(folder / "small"), "grow": grow}
    return little.config(folder, model=start, layout=None)


@pytest.fixture
def small(folder: Path) -> Path:
    # the layers before the place of growth need one of each kind with experts
    return little.write_model(folder, folder / "small", model={"new": new(folder)})


def new(folder: Path) -> dict[str, Any]:
    return little.settings(folder)["model"]["new"] | {"layers": "cacaca"}


def test_added_layers_change_nothing_at_first(folder: Path, small: Path) -> None:
    tokens = torch.randint(0, 60, (2, 7, 3))
    before = load_model(read_directory(small)).eval()(tokens)
    model = open_start(grown(folder, layers="cacacaca")).model.eval()
    assert model.config.num_hidden_layers == 8
    torch.testing.assert_close(model(tokens), before, atol=1e-5, rtol=1e-5)


def test_a_grown_run_learns_in_its_new_parts(folder: Path, small: Path) -> None:
    config = grown(folder, layers="cacacaca", num_experts=6)
    begun = open_start(config).model.state_dict()
    assert train(config, Console(file=io.StringIO())).is_over
    model = load_model(read_directory(folder / "out/last"))
    name = "base.model.layers.4.feed_forward.experts.down_proj"
    learned = model.state_dict()[name]
    assert learned.shape == (6, 16, 8)
    assert not begun[name].any()
    assert learned.any(dim=(1, 2)).all()


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


def test_what_can_not_grow_is_told(folder: Path, small: Path) -> None:
    with pytest.raises(SettingError, match=r"num_experts: expected 4 to 8, got 9"):
        open_start(grown(folder, num_experts=9))
    with pytest.raises(SettingError, match="grow needs start"):
        little.config(folder, model={"grow": {"num_experts": 5}})
