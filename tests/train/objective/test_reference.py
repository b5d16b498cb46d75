"""The objective equals its slow reference, with every knob; and would not if it were wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from motet.streams import ConvMode
from motet.train.collate import Collator
from motet.train.objective import LossParts, Objective, ObjectiveConfig
from motet.train.objective import objective as module
from motet.train.objective.targets import Targets
from tests.laws.tolerance import SAME
from tests.runtime.test_parity import reference_of
from tests.tiny import Architecture, Case, make_model
from tests.train.objective.grids import partly_learned, random_grid
from tests.train.objective.reference import slow_targets, slow_total

CONFIGS: dict[str, dict[str, Any]] = {
    "as published": {},
    "plain": {"mix": 1.0},
    "LongCE alone": {"mix": 0.0, "gamma": 1.3},
    "positive only": {"positive_only": True, "silence_weight": 0.2},
    "mean one": {"mean_one": True, "silence_weight": 0.2},
    "User visible": {"hidden": ("Output", "Think 2", "Think 3")},
    "thoughts hidden": {"hidden": ("Think 2", "Think 3"), "mean_one": True},
    "silence left out": {"silence_weight": 0.0},
    "in pieces": {"logits_bytes": 4 * 64 * 3},
}


def check(case: Case, config: ObjectiveConfig) -> None:
    """Total, weights and sums, in float32, of packed lines against float64 one by one."""
    model = make_model(case).train()
    layout, C = model.layout, case.num_channels
    grids = [random_grid(5, C, 1), partly_learned(6, C, 2), random_grid(4, C, 3)]
    batch = Collator(layout, visible=False)([[grids[0], grids[1]], [grids[2]]])
    objective = Objective(config, layout, seed=0)
    got = objective.loss(model, batch, objective.num_items(batch), step=0)
    slow = slow_targets(reference_of(model), grids, layout, config)

    assert got.total.item() == pytest.approx(slow_total(slow, config), abs=SAME), "objective: total"
    is_long = config.mix < 1.0
    for c in range(C):
        mine = [t for t in slow if t.channel == c]
        spoken = [t for t in mine if t.is_spoken]
        expected = {
            "targets_C": len(mine),
            "loss_C": sum(t.full for t in mine),
            "spoken_C": len(spoken),
            "spoken_loss_C": sum(t.full for t in spoken),
            "longce_targets_C": len(mine) * is_long,
            "longce_weight_C": sum(t.w for t in mine) * is_long,
            "longce_self_loss_C": sum(t.own for t in mine) * is_long,
        }
        for name, value in expected.items():
            sums = getattr(got, name)
            assert sums.dtype == torch.float64
            assert sums[c].item() == pytest.approx(value, abs=SAME), f"objective: {name}[{c}]"


@pytest.mark.parametrize("name", CONFIGS)
def test_equals_the_reference(name: str) -> None:
    check(Case(Architecture.LFM2_MOE, 4), ObjectiveConfig(**CONFIGS[name]))


@pytest.mark.parametrize(
    "case",
    [
        Case(Architecture.QWEN3, 4),
        Case(Architecture.LFM2, 4, ConvMode.ROW_BOUNDARY),
        Case(Architecture.LFM2, 2),
    ],
    ids=str,
)
def test_on_every_architecture(case: Case) -> None:
    check(case, ObjectiveConfig())


def _sign(self_N: Tensor, full_N: Tensor, targets: Targets, config: ObjectiveConfig) -> Tensor:
    return (full_N - self_N).exp().clamp(max=config.gamma)


def _no_gamma(self_N: Tensor, full_N: Tensor, targets: Targets, config: ObjectiveConfig) -> Tensor:
    return (self_N - full_N).exp()


def _next_cell(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Shifted by one flat cell, as a stock model would be, and not by C."""

    def predicted_from(self: Targets, hidden_BRCD: Tensor) -> Tensor:
        _, R, C, _ = hidden_BRCD.shape
        cell_N = (self.line_N * R + self.row_N) * C + self.channel_N - 1
        return hidden_BRCD.flatten(0, 2)[cell_N]

    return predicted_from


def _seen_by_all(original: Callable[..., Any]) -> Callable[..., Any]:
    def self_losses(model: Any, batch: Any, targets: Any, views: Any, budget: int) -> Tensor:
        everything = tuple(range(model.layout.num_channels))
        whole = [type(views[0])(everything, everything)]
        result: Tensor = original(model, batch, targets, whole, budget)
        return result

    return self_losses


@pytest.mark.parametrize(
    ("owner", "attribute", "mutant"),
    [
        (module, "longce_weights", lambda _: _sign),
        (module, "longce_weights", lambda _: _no_gamma),
        (Targets, "predicted_from", _next_cell),
        (module, "self_losses", _seen_by_all),
    ],
    ids=["sign", "no gamma", "shift by one", "nothing hidden"],
)
def test_the_reference_notices(
    owner: object,
    attribute: str,
    mutant: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, attribute, mutant(getattr(owner, attribute)))
    with pytest.raises(AssertionError, match=r"^objective: "):
        check(Case(Architecture.LFM2_MOE, 4), ObjectiveConfig())


def test_gradient_does_not_flow_through_the_weights() -> None:
    """The gradient is that of the same loss with w given as numbers."""
    model = make_model(Case(Architecture.LFM2, 4)).train()
    batch = Collator(model.layout, visible=False)([[random_grid(9, 4)]])
    objective = Objective(ObjectiveConfig(), model.layout, seed=0)
    num_items = objective.num_items(batch)

    def gradient(loss: Tensor) -> Tensor:
        model.zero_grad()
        loss.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    got = gradient(objective.loss(model, batch, num_items, 0).total)
    weights: list[Tensor] = []
    original = module.longce_weights
    with pytest.MonkeyPatch.context() as patch:

        def keeping(*args: Any) -> Tensor:
            weights.append(original(*args))
            return weights[-1]

        patch.setattr(module, "longce_weights", keeping)
        objective.loss(model, batch, num_items, 0)
    (w_N,) = weights
    assert not w_N.requires_grad
    assert 0 < w_N.min() < 1 < w_N.max() <= 2
    targets = Targets.of(batch, model.layout, 1.0)
    logits_NV = model.head(targets.predicted_from(model.hidden_of_grids(batch["tokens_BRC"])))
    losses_N = torch.nn.functional.cross_entropy(logits_NV, targets.token_N, reduction="none")
    expected = gradient(((0.4 + 0.6 * w_N) * losses_N).sum() / num_items)
    scale = expected.abs().max()
    assert (got - expected).abs().max() <= 1e-5 * scale


def test_parts_are_a_tuple_of_tensors() -> None:
    """What wraps a model for many processes finds the loss in its output."""
    model = make_model(Case(Architecture.QWEN3, 2)).train()
    batch = Collator(model.layout, visible=False)([[random_grid(3, 2)]])
    objective = Objective(ObjectiveConfig(), model.layout, seed=0)
    parts = objective.loss(model, batch, objective.num_items(batch), 0)
    assert isinstance(parts, LossParts)
    assert [part.requires_grad for part in parts] == [True] + [False] * (len(parts) - 1)
