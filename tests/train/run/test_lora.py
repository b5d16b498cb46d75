"""LoRA: what learns is what was listed, nothing else moves, and merging changes no logit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from motet.engine import Engine, Sampling
from motet.errors import SettingError
from motet.formats.directory import read_directory
from motet.runtime.torch import TorchRuntime
from motet.runtime.torch.checkpoint import load_model
from motet.train.config.method import LoRAConfig
from motet.train.lora import adapt
from motet.train.objective import Objective
from motet.train.run import train
from motet.train.start import Start, open_start
from motet.train.step import LossModel
from motet.train.weights import learned_names, load_learned, save_learned
from tests.train.run import little
from tests.train.run.test_start import BASE_LAYOUT, V, base_model, from_base


@pytest.fixture
def start(folder: Path) -> Start:
    base_model(folder)
    return open_start(from_base(folder))


def test_linear_layers_experts_channels_and_added_tokens_learn(start: Start) -> None:
    adapted = adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    assert set(adapted.summary()) == {
        "2 x conv.in_proj", "2 x conv.out_proj", "1 x feed_forward.w1", "1 x feed_forward.w2",
        "1 x feed_forward.w3", "2 x feed_forward.experts.down_proj",
        "2 x feed_forward.experts.gate_up_proj", "1 x self_attn.k_proj",
        "1 x self_attn.out_proj", "1 x self_attn.q_proj", "1 x self_attn.v_proj",
    }  # fmt: skip
    learned = {name for name, p in start.model.named_parameters() if p.requires_grad}
    assert "channel_embedding.weight" in learned
    others = {n for n in learned if "lora_" not in n and "channel" not in n}
    assert len(others) == 1
    assert "trainable_tokens" in next(iter(others))
    stacks = [n for n in learned if "experts" in n]
    assert len(stacks) == 2 * 2 * 2  # layers, weights, A and B


def test_only_what_was_listed_has_a_gradient(start: Start) -> None:
    adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    with torch.no_grad():
        for name, parameter in start.model.named_parameters():
            if "lora_B" in name:  # 0 at first, so that A has no gradient yet
                parameter.normal_()
    tokens = torch.randint(0, V + 1, (2, 6, 3))
    tokens[0, 0] = V
    start.model(tokens).float().logsumexp(-1).square().mean().backward()
    for name, parameter in start.model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name
        else:
            assert parameter.grad is None, name


def test_merged_weights_say_the_same(start: Start, tmp_path: Path) -> None:
    adapted = adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in start.model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    tokens = torch.randint(0, V + 1, (2, 6, 3))
    expected = start.model.eval()(tokens)
    plain = open_start(from_base(tmp_path)).model.eval()(tokens)
    assert (expected - plain).abs().max() > 0.1
    adapted.merge()
    torch.testing.assert_close(start.model(tokens), expected, rtol=1e-4, atol=1e-4)
    assert not [name for name, _ in start.model.named_parameters() if "lora" in name]
    head = start.model.base.get_output_embeddings().weight
    assert head is start.model.base.get_input_embeddings().weight


def test_added_tokens_learn_on_both_sides(start: Start) -> None:
    """The head shares the embedding, so a new token is read and predicted by what was learned."""
    adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    tokens = torch.zeros(1, 2, 3, dtype=torch.long)
    before = start.model.eval()(tokens)
    with torch.no_grad():
        for name, parameter in start.model.named_parameters():
            if "trainable_tokens" in name:
                parameter.add_(1.0)
    after = start.model(tokens)
    assert not torch.allclose(after[..., V], before[..., V])
    torch.testing.assert_close(after[..., :V], before[..., :V])
    with_it = torch.full((1, 2, 3), V)
    assert torch.isfinite(start.model(with_it)).all()


def test_a_module_that_is_not_there_is_told(start: Start) -> None:
    with pytest.raises(SettingError, match=r"some of .*q_proj.*got o_proj"):
        adapt(start.model, LoRAConfig(modules=("q_proj", "o_proj")), ())


def test_only_what_is_named_learns(start: Start) -> None:
    adapted = adapt(start.model, LoRAConfig(modules=("q_proj",), experts=False), ())
    assert adapted.parameters == ()
    assert adapted.modules == ("model.layers.1.self_attn.q_proj",)


def test_what_was_learned_survives_the_disk(start: Start, tmp_path: Path) -> None:
    adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    config = from_base(tmp_path)
    model = LossModel(start.model, Objective(config.objective, start.layout, 0))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_()
    save_learned(tmp_path / "a", model)
    expected = {n: t.clone() for n, t in model.state_dict().items() if n in learned_names(model)}
    assert any(name.endswith("expert_bias") for name in expected)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    load_learned(tmp_path / "a", model)
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())


def test_a_base_model_is_trained_with_lora_into_a_stream_model(folder: Path) -> None:
    base_model(folder)
    # the dataset was made with the base's own silence token, so that is taken here
    changes: dict[str, Any] = {
        "model": {"new": None, "start": str(folder / "base")},
        "method": {"kind": "lora", "lora": {"rank": 4}},
        "optimizer": {"lr": 1e-2},
        "schedule": {"num_steps": 12, "warmup_steps": 1},
    }
    console = Console(file=io.StringIO())
    outcome = train(little.config(folder, **changes), console)
    assert outcome.is_over
    assert "LoRA in 2 x conv.in_proj" in console.file.getvalue()  # type: ignore[attr-defined]
    figures = little.lines(folder / "out")
    assert figures[-1]["spoken_loss"] < figures[0]["spoken_loss"]
    names = little.weights(folder / "out/checkpoints/checkpoint-12/learned.safetensors")
    assert not [n for n in names if "lora_" not in n and "expert_bias" not in n
                and "channel_embedding" not in n]  # fmt: skip
    model = load_model(read_directory(folder / "out/last"))
    base = load_model(read_directory(folder / "base"))
    assert model.layout == little.layout()
    changed = model.base.state_dict()
    for name, tensor in base.base.state_dict().items():
        learns = "norm" not in name and "embed" not in name and "lm_head" not in name
        learns = learns and "gate.weight" not in name and "conv.conv" not in name
        assert torch.equal(changed[name], tensor) != learns or name.endswith("expert_bias"), name


def test_what_learns_is_float32_beside_frozen_bfloat16(folder: Path) -> None:
    base_model(folder)
    config = little.config(
        folder, layout=BASE_LAYOUT,
        model={"new": None, "start": str(folder / "base"), "precision": "bfloat16"},
    )  # fmt: skip
    start = open_start(config)
    adapted = adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    for name, parameter in start.model.named_parameters():
        expected = torch.float32 if parameter.requires_grad else torch.bfloat16
        assert parameter.dtype == expected, name
    tokens = torch.full((1, 4, 3), V)
    logits = start.model(tokens)
    assert logits.dtype == torch.bfloat16
    logits.float().logsumexp(-1).square().mean().backward()
    assert all(p.grad is not None for p in start.model.parameters() if p.requires_grad)
    adapted.merge()
    assert torch.isfinite(start.model(tokens)).all()


def test_an_adapted_bfloat16_model_can_be_decoded(folder: Path) -> None:
    base_model(folder)
    config = little.config(
        folder, layout=BASE_LAYOUT,
        model={"new": None, "start": str(folder / "base"), "precision": "bfloat16"},
    )  # fmt: skip
    start = open_start(config)
    adapt(start.model, LoRAConfig(rank=2), start.added_ids)
    engine = Engine("x", TorchRuntime(start.model), start.codec, Sampling(temperature=0.0))
    reply = engine.ask("7 apples", engine.settings(max_rows=6))
    assert 0 < reply.rows <= 12
