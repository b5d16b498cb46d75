"""Muon's update, and which parameter goes to which optimizer."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer

from motet.train.tiny.balance import ExpertBalance
from motet.train.tiny.config import OptimConfig, TrainConfig
from motet.train.tiny.model import build_model
from motet.train.tiny.muon import Muon, orthogonalise
from motet.train.tiny.optimizers import build_optimizers, set_rates
from motet.train.tiny.team import Team
from tests.train.test_loop import small_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return small_tokenizer()


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16, 8), (2, 8, 24)])
def test_singular_values_come_close_to_one(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x_Bnm = torch.randn(shape) @ torch.diag(torch.linspace(0.3, 3.0, shape[-1]))
    values = torch.linalg.svdvals(orthogonalise(x_Bnm))
    assert values.shape == torch.linalg.svdvals(x_Bnm).shape
    assert 0.5 < float(values.min())
    assert float(values.max()) < 1.3


def test_a_stack_is_updated_like_its_matrices() -> None:
    torch.manual_seed(1)
    start, gradient = torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    stack = torch.nn.Parameter(start.clone())
    single = [torch.nn.Parameter(matrix.clone()) for matrix in start]
    stack.grad = gradient.clone()
    for param, matrix in zip(single, gradient, strict=True):
        param.grad = matrix.clone()
    Muon([stack], lr=0.1, weight_decay=0.1).step()
    Muon(single, lr=0.1, weight_decay=0.1).step()
    assert not torch.equal(stack.detach(), start)
    torch.testing.assert_close(stack.detach(), torch.stack([p.detach() for p in single]))


def test_every_parameter_has_one_optimizer(config: TrainConfig, tokenizer: Tokenizer) -> None:
    model = build_model(config.model, tokenizer)
    optimizers = build_optimizers(model, OptimConfig(), Team())
    chosen = [[p for group in o.param_groups for p in group["params"]] for o in optimizers]
    ids = [id(p) for params in chosen for p in params]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    by_muon = {names[id(p)] for p in chosen[0]}
    assert any(name.endswith("experts.gate_up_proj") for name in by_muon)
    assert not any("embed" in name or "norm" in name or "gate.weight" in name for name in by_muon)
    assert set_rates(optimizers, 0, OptimConfig(warmup_steps=4, muon_lr=0.4)) == 0.25
    assert optimizers[0].param_groups[0]["lr"] == pytest.approx(0.1)


def test_the_bias_moves_towards_unused_experts(config: TrainConfig, tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    model = build_model(config.model, tokenizer).train()
    balance = ExpertBalance(model, rate=0.1)
    (block,) = [module for module in model.modules() if hasattr(module, "expert_bias")]
    model(torch.zeros(1, 3, 4, dtype=torch.int64))
    counts = balance.counts[0].clone()
    assert float(counts.sum()) == 3 * 4 * config.model.num_active_experts
    assert balance.step() == pytest.approx(float(counts.max() / counts.sum()))
    torch.testing.assert_close(block.expert_bias, 0.1 * torch.sign(counts.mean() - counts))
    assert float(balance.counts[0].sum()) == 0.0
    model.eval()(torch.zeros(1, 3, 4, dtype=torch.int64))
    assert float(balance.counts[0].sum()) == 0.0
