"""The objective under what a trainer does to a model: checkpointing, mixed precision, LoRA."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor

from motet.runtime.torch import MultiStreamModel
from motet.train.collate import Collator
from motet.train.objective import LossParts, Objective, ObjectiveConfig
from motet.train.start.opening import checkpoint_activations
from tests.laws.tolerance import SAME
from tests.tiny import Architecture, Case, make_model
from tests.train.objective.grids import random_grid


def loss_of(model: MultiStreamModel, **knobs: object) -> LossParts:
    batch = Collator(model.layout, visible=False)([[random_grid(9, 4, 1), random_grid(12, 4, 2)]])
    objective = Objective(ObjectiveConfig(**knobs), model.layout, seed=0)  # type: ignore[arg-type]
    return objective.loss(model, batch, objective.num_items(batch), 0)


def gradient(model: MultiStreamModel) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("architecture", list(Architecture))
def test_checkpointing_changes_nothing(architecture: Architecture) -> None:
    expected, model = (make_model(Case(architecture, 4)).train() for _ in range(2))
    checkpoint_activations(model.base)
    passes: list[bool] = []
    layer = model.base.get_decoder().layers[1]
    layer.self_attn.q_proj.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    for each in (expected, model):
        loss_of(each, logits_bytes=4 * 64 * 5).total.backward()
    assert passes == [False, True, True], "counterfactual, forward, forward again"
    scale = gradient(expected).abs().max()
    assert (gradient(model) - gradient(expected)).abs().max() <= 1e-5 * scale


def test_mixed_precision_is_near_and_its_losses_are_float32() -> None:
    model = make_model(Case(Architecture.QWEN3, 4)).train()
    expected = loss_of(model)
    with torch.autocast("cpu", torch.bfloat16):
        got = loss_of(model)
    assert got.total.dtype == torch.float32
    assert got.total.item() == pytest.approx(expected.total.item(), rel=0.03)
    assert got.total.item() != expected.total.item()
    got.total.backward()
    assert gradient(model).dtype == torch.float32


def test_weights_in_bfloat16() -> None:
    expected = loss_of(make_model(Case(Architecture.QWEN3, 4)).train())
    model = make_model(Case(Architecture.QWEN3, 4)).train().bfloat16()
    got = loss_of(model)
    got.total.backward()
    assert got.total.item() == pytest.approx(expected.total.item(), rel=0.03)


def test_lora_with_its_dropout() -> None:
    """Adapters everywhere, the head too: a fresh one changes no loss, and alone has a gradient."""
    model = make_model(Case(Architecture.QWEN3, 4)).train()
    expected = loss_of(model).total.item()
    targets = ["q_proj", "v_proj", "down_proj", "lm_head"]
    inject_adapter_in_model(LoraConfig(r=2, target_modules=targets, lora_dropout=0.5), model)
    parts = loss_of(model, logits_bytes=4 * 64 * 5)
    assert parts.total.item() == pytest.approx(expected, abs=SAME)
    parts.total.backward()
    learned = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert learned
    assert all("lora_" in name for name in learned)
    assert any("lm_head" in name for name in learned)
