"""The torch model equals stock transformers (C = 1) and the slow reference (any C)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from motet.runtime.torch import MultiStreamModel
from motet.streams import ConvMode
from tests.laws import torch_mutants as m
from tests.laws.checks import random_rows, read_alone
from tests.laws.tolerance import SAME, SEEN, assert_same, assert_seen, largest_difference
from tests.runtime.reference import Reference, lfm2_name
from tests.tiny import (
    CASES,
    VOCAB_SIZE,
    Architecture,
    Case,
    make_model,
    stock_model,
    tiny_runtime,
)

# float32 has 6e-8; a gradient is a sum over all cells of a batch (here 30) through four layers,
# taken in another order by stock attention and convolution. Measured: up to 2e-6 of the largest
# entry of the same tensor.
GRADIENT = 1e-5


def reference_of(model: MultiStreamModel) -> Reference:
    config = model.config
    tensors = {
        lfm2_name(name): tensor.double().numpy()
        for name, tensor in model.base.state_dict().items()
        if not (name == "lm_head.weight" and config.tie_word_embeddings)
    }
    assert model.channel_embedding is not None
    return Reference(
        tensors=tensors,
        channel_embedding_CD=model.channel_embedding.weight.detach().double().numpy(),
        layer_types=["conv" if kind == "conv" else "attention" for kind in config.layer_types],
        num_heads=config.num_attention_heads,
        num_kv_heads=config.num_key_value_heads,
        num_active_experts=getattr(config, "num_experts_per_tok", 0),
        theta=config.rope_parameters["rope_theta"],
        eps=getattr(config, "norm_eps", None) or config.rms_norm_eps,
        row_boundary=model.layout.conv_mode is ConvMode.ROW_BOUNDARY,
    )


def check_reference(case: Case) -> None:
    runtime = tiny_runtime(case)
    rows = random_rows(runtime, 6)
    expected = reference_of(make_model(case)).logits(rows)
    assert_same(read_alone(runtime, rows), expected, "reference")


def test_equals_the_reference(case: Case) -> None:
    check_reference(case)


@pytest.mark.parametrize(
    ("case", "mutant"),
    [
        (Case(Architecture.LFM2_MOE, 4), m.peers_visible),
        (Case(Architecture.LFM2_MOE, 4), m.positions_per_cell),
        (Case(Architecture.LFM2_MOE, 4), m.channel_embedding_twice_in_decode),
        (Case(Architecture.QWEN3, 4), m.channel_embedding_dropped),
        (Case(Architecture.LFM2, 4), m.conv_taps_reversed),
        (Case(Architecture.LFM2, 4, ConvMode.ROW_BOUNDARY), m.conv_over_flat_cells),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_reference_notices(
    case: Case, mutant: m.Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch, tiny_runtime(case))
    with pytest.raises(AssertionError, match=r"^reference: "):
        check_reference(case)


def test_the_reference_uses_every_tensor() -> None:
    """Each tensor of the model, expert bias and norms included, moves the reference's logits."""
    rows = np.random.default_rng(0).integers(0, VOCAB_SIZE, (4, 2), dtype=np.int32)
    for architecture in Architecture:
        reference = reference_of(make_model(Case(architecture, 2)))
        expected = reference.logits(rows)
        for name, tensor in reference.tensors.items():
            noise = np.random.default_rng(1).normal(size=tensor.shape)
            other = replace(reference, tensors={**reference.tensors, name: tensor + 0.5 * noise})
            assert_seen(other.logits(rows), expected, f"{architecture}: {name}")


@pytest.fixture(params=list(Architecture))
def pair(request: pytest.FixtureRequest) -> tuple[torch.nn.Module, MultiStreamModel]:
    """Stock model and multi-stream model of one channel, with gradients."""
    case = Case(request.param, 1, channel_embedding=False)
    return stock_model(case.architecture), make_model(case)


def test_one_channel_equals_stock(pair: tuple[torch.nn.Module, MultiStreamModel]) -> None:
    """Logits and the gradient of every parameter."""
    stock, model = pair
    generator = torch.Generator().manual_seed(2)
    tokens_BT = torch.randint(0, VOCAB_SIZE, (2, 15), generator=generator)
    pull_BTV = torch.randn(2, 15, VOCAB_SIZE, generator=generator)

    expected = stock(tokens_BT).logits
    got = model(tokens_BT[:, :, None])[:, :, 0]
    assert_same(got.detach(), expected.detach(), "logits")
    (expected * pull_BTV).sum().backward()
    (got * pull_BTV).sum().backward()

    gradients = {name: p.grad for name, p in stock.named_parameters()}
    names = {name.removeprefix("base.") for name, _ in model.named_parameters()}
    assert {name.replace(".conv.conv.conv.", ".conv.conv.") for name in names} == set(gradients)
    for name, parameter in model.base.named_parameters():
        wanted, gradient = gradients[name], parameter.grad
        assert wanted is not None, name
        assert gradient is not None, name
        scale = wanted.abs().max().item()
        assert scale > SEEN, f"{name} has no gradient to compare"
        assert largest_difference(gradient, wanted) <= GRADIENT * scale, name


@pytest.mark.parametrize("case", [case for case in CASES if case.num_channels == 4], ids=str)
def test_every_parameter_learns(case: Case) -> None:
    """With four channels a gradient reaches each parameter, and each channel's embedding."""
    model = make_model(case)
    rows = torch.from_numpy(random_rows(tiny_runtime(case), 20)).long()
    torch.nn.functional.cross_entropy(
        model(rows[None])[0, :-1].flatten(0, 1), rows[1:].flatten()
    ).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > SAME, name
    assert model.channel_embedding is not None
    assert (model.channel_embedding.weight.grad.abs().amax(1) > SAME).all()  # type: ignore[union-attr]


def test_gradient_of_the_channel_embedding() -> None:
    """It equals the slope of the loss, measured in steps: the embedding is added once."""
    model = make_model(Case(Architecture.LFM2, 4))
    assert model.channel_embedding is not None
    weight = model.channel_embedding.weight
    rows = torch.from_numpy(random_rows(tiny_runtime(Case(Architecture.LFM2, 4)), 8)).long()
    pull = torch.randn(8, 4, VOCAB_SIZE, generator=torch.Generator().manual_seed(3)) / 16
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(4))

    def loss() -> torch.Tensor:
        return (model(rows[None])[0] * pull).sum()

    loss().backward()
    assert weight.grad is not None
    slope = (weight.grad * direction).sum().item()
    step = 1e-3
    with torch.no_grad():
        weight += step * direction
        above = loss().item()
        weight -= 2 * step * direction
        below = loss().item()
    assert abs(slope) > 0.1
    assert (above - below) / (2 * step) == pytest.approx(slope, rel=0.02)
