"""Rates, optimizers and the balance of experts, against what they are written to be."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from motet.train.config.optimization import OptimizerConfig, ScheduleConfig
from motet.train.optimization import ExpertLoad, build_optimizer, build_schedule, rate_at
from motet.train.optimization.experts import largest_share
from motet.train.optimization.muon import MUON, Muon, orthogonalise
from motet.train.start import open_start
from tests.train.run import little


def test_rates_rise_stay_and_fall() -> None:
    config = ScheduleConfig(num_steps=10, warmup_steps=4, decay_steps=4, final=0.2)
    rates = [rate_at(config, step) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 0.8, 0.6, 0.4])


@given(st.integers(1, 300), st.data())
def test_the_cosine_is_the_usual_one(num_steps: int, data: st.DataObject) -> None:
    warmup = data.draw(st.integers(0, num_steps - 1))
    decay = num_steps - warmup
    config = ScheduleConfig(
        num_steps=num_steps, warmup_steps=warmup, decay_steps=decay, decay="cosine"
    )
    for step in range(warmup, num_steps):
        expected = 0.5 * (1 + math.cos(math.pi * (step - warmup) / decay))
        assert rate_at(config, step) == pytest.approx(expected, abs=1e-9)


def model() -> nn.Module:
    return nn.ModuleDict(
        {
            "embed_tokens": nn.Embedding(7, 4), "w1": nn.Linear(4, 6, bias=False),
            "w2": nn.Linear(6, 4, bias=False), "norm": nn.LayerNorm(4, bias=False),
        }
    )  # fmt: skip


def test_the_schedule_scales_every_group_by_its_own_peak() -> None:
    config = OptimizerConfig(name="muon", lr=1e-3, muon_lr=0.5)
    optimizer = build_optimizer(model(), config)
    schedule = build_schedule(optimizer, ScheduleConfig(num_steps=4, warmup_steps=2))
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 5e-4]
    optimizer.step()
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 1e-3]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_only_matrices_decay(name: str) -> None:
    config = OptimizerConfig.model_validate({"name": name, "weight_decay": 0.1})
    net = model()
    optimizer = build_optimizer(net, config)
    decaying = {
        id(p) for g in optimizer.param_groups if g["weight_decay"] == 0.1 for p in g["params"]
    }
    names = {name for name, p in net.named_parameters() if id(p) in decaying}
    assert names == {"w1.weight", "w2.weight"}


def gradients(net: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_the_rest_of_muon_is_torchs_adamw() -> None:
    torch.manual_seed(0)
    ours, theirs = model(), model()
    theirs.load_state_dict(ours.state_dict())
    config = OptimizerConfig(name="muon", lr=0.01)
    optimizer = build_optimizer(ours, config)
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=0.01, betas=config.betas, eps=config.eps, weight_decay=0.0
    )
    for seed in range(3):
        for net, one in ((ours, optimizer), (theirs, reference)):
            gradients(net, seed)
            one.step()
    for name in ("embed_tokens.weight", "norm.weight"):
        torch.testing.assert_close(ours.get_parameter(name), theirs.get_parameter(name))
    assert not torch.allclose(ours.get_parameter("w1.weight"), theirs.get_parameter("w1.weight"))


def test_muon_is_the_formula_written_out() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.randn(2, 4, 6))
    expected, momentum = weight.detach().clone(), torch.zeros(2, 4, 6)
    lr, mu, decay = 0.1, 0.9, 0.2
    optimizer = Muon(
        [{"params": [weight], "rule": MUON, "lr": lr, "momentum": mu, "weight_decay": decay}]
    )
    for seed in range(3):
        torch.manual_seed(seed)
        gradient = torch.randn(2, 4, 6)
        weight.grad = gradient.clone()
        optimizer.step()
        momentum = mu * momentum + gradient
        for e in range(2):
            update = orthogonalise((gradient[e] + mu * momentum[e])[None])[0]
            expected[e] = (1 - lr * decay) * expected[e] - lr * 0.2 * 6**0.5 * update
    torch.testing.assert_close(weight.detach(), expected, rtol=1e-2, atol=2e-3)  # bfloat16 inside


def test_singular_values_become_about_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 8, 20), (3, 20, 8)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert 0.6 < values.min()
        assert values.max() < 1.3


def test_an_optimizer_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    nets = [model(), model()]
    nets[1].load_state_dict(nets[0].state_dict())
    config = OptimizerConfig(name="muon", lr=0.01)
    whole = build_optimizer(nets[0], config)
    part = build_optimizer(nets[1], config)
    for seed in range(4):
        for net, optimizer in ((nets[0], whole), (nets[1], part)):
            gradients(net, seed)
            optimizer.step()
        if seed == 1:
            state = part.state_dict()
            part = build_optimizer(nets[1], config)
            part.load_state_dict(state)
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(a, b)


def test_experts_are_counted_while_learning_and_evened_out(tmp_path: Path) -> None:
    little.write_dataset(tmp_path / "data", 3)
    net = open_start(little.config(tmp_path)).model.train()
    load = ExpertLoad(net)
    tokens = torch.randint(0, 60, (2, 5, 3))
    net(tokens)
    with torch.no_grad():
        net(tokens)
    net.eval()(tokens)
    choices = load.take(torch.device("cpu"))
    assert load.num_layers == 2
    assert choices.shape == (8,)
    assert [float(counts.sum()) for counts in load.split(choices)] == [60.0, 60.0]
    assert float(load.take(torch.device("cpu")).sum()) == 0
    biases: list[Tensor] = [m.expert_bias for m in net.modules() if hasattr(m, "expert_bias")]
    before = [bias.clone() for bias in biases]
    uneven = torch.tensor([9.0, 1, 1, 1, 3, 3, 3, 3], dtype=torch.float64)
    load.balance(uneven, 0.5)
    assert (biases[0] - before[0]).tolist() == [-0.5, 0.5, 0.5, 0.5]
    assert torch.equal(biases[1], before[1])
    assert largest_share(uneven[:4]) == 0.75
