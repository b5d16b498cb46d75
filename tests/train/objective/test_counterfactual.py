"""The counterfactual leaves no trace: no gradient, no mode, no memory, and no dropout in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from motet.train.collate import Collator
from motet.train.objective import Objective, ObjectiveConfig
from motet.train.objective import objective as module
from motet.train.objective.counterfactual import self_losses, views_of
from motet.train.objective.targets import Targets
from tests.tiny import Architecture, Case, make_model
from tests.train.objective.grids import random_grid

CASE = Case(Architecture.LFM2_MOE, 4)


class _Dropping(nn.Module):
    """A layer with dropout after it, as LoRA has."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.dropout = nn.Dropout(0.5)
        self.modes: list[bool] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        dropped: torch.Tensor = self.dropout(self.layer(x))
        return dropped


def test_dropout_is_off_and_modes_come_back() -> None:
    model = make_model(CASE).train()
    attention = model.base.get_decoder().layers[1].self_attn
    attention.v_proj = dropping = _Dropping(attention.v_proj)
    model.base.get_decoder().layers[0].eval()  # someone froze a part
    modes = [part.training for part in model.modules()]
    batch = Collator(model.layout, visible=False)([[random_grid(8, 4)]])
    targets = Targets.of(batch, model.layout, 1.0)
    views = views_of(4, (1, 2, 3), (0, 1, 2, 3))
    first = self_losses(model, batch, targets, views, 1 << 20)
    assert torch.equal(first, self_losses(model, batch, targets, views, 1 << 20))
    assert dropping.modes == [False, False]
    assert [part.training for part in model.modules()] == modes

    objective = Objective(ObjectiveConfig(), model.layout, seed=0)
    objective.loss(model, batch, objective.num_items(batch), 0)
    assert dropping.modes[2:] == [False, True], "first without gradient, then with"


def test_modes_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model(CASE).train()
    batch = Collator(model.layout, visible=False)([[random_grid(8, 4)]])
    monkeypatch.setattr(model, "hidden", lambda *_: 1 / 0)
    objective = Objective(ObjectiveConfig(), model.layout, seed=0)
    with pytest.raises(ZeroDivisionError):
        objective.loss(model, batch, objective.num_items(batch), 0)
    assert all(part.training for part in model.modules())


def test_no_graph_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[torch.Tensor] = []
    original = module.self_losses

    def keeping(*args: Any) -> torch.Tensor:
        kept.append(original(*args))
        return kept[-1]

    monkeypatch.setattr(module, "self_losses", keeping)
    model = make_model(CASE).train()
    batch = Collator(model.layout, visible=False)([[random_grid(8, 4)]])
    objective = Objective(ObjectiveConfig(), model.layout, seed=0)
    objective.loss(model, batch, objective.num_items(batch), 0)
    assert [tensor.requires_grad for tensor in kept] == [False]


def test_input_channels_are_not_computed() -> None:
    """User has no targets, so its column is no line of the counterfactual unless others see it."""
    model = make_model(CASE).train()
    cells: list[int] = []
    model.base.get_decoder().layers[0].register_forward_hook(
        lambda _module, args, _out: cells.append(args[0].shape[0] * args[0].shape[1])
    )
    batch = Collator(model.layout, visible=False, round_rows_to=1)([[random_grid(8, 4)]])
    for hidden, expected in ((None, 3 * 8), (("Output", "Think 2", "Think 3"), 6 * 8)):
        cells.clear()
        objective = Objective(ObjectiveConfig(hidden=hidden), model.layout, seed=0)
        objective.loss(model, batch, objective.num_items(batch), 0)
        assert cells == [expected, 4 * 8]


@pytest.mark.parametrize(
    ("channels", "knobs"),
    [(1, {}), (4, {"mix": 1.0}), (4, {"probability": 0.0}), (4, {"hidden": ()})],
)
def test_it_costs_nothing_where_it_says_nothing(
    channels: int, knobs: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "self_losses", lambda *_: 1 / 0)
    model = make_model(Case(Architecture.LFM2, channels)).train()
    batch = Collator(model.layout, visible=False)([[random_grid(8, channels)]])
    objective = Objective(ObjectiveConfig(**knobs), model.layout, seed=0)
    parts = objective.loss(model, batch, objective.num_items(batch), 0)
    assert parts.longce_targets_C.sum() == 0
    assert parts.targets_C.sum() > 0
