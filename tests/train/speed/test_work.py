"""The products of a step, against a model that counts them while it computes them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from motet.bench.shape import shape_named
from motet.bench.vocabulary import channels_layout
from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.runtime.torch.streams import block_causal_mask
from motet.train.objective import Objective, ObjectiveConfig
from motet.train.speed import Setting, step_work
from motet.train.speed.random_model import random_batch, random_model

TINY = Hyperparameters(
    architecture=Architecture.LFM2,
    vocab_size=300,
    context_rows=64,
    width=32,
    num_heads=4,
    head_width=8,
    num_kv_heads=(0, 2, 0, 2),
    ffn_width=48,
    norm_eps=1e-5,
    rope_theta=1e4,
    conv_width=3,
    num_dense_layers=4,
)


def counted(setting: Setting, config: ObjectiveConfig) -> int:
    """Multiply-adds of the forward passes of the objective, by hooks and by counting masks."""
    model = random_model(setting).train()
    total = 0

    def count(module: nn.Module, args: tuple[torch.Tensor, ...], _out: object) -> None:
        nonlocal total
        weight = module.weight
        if isinstance(module, nn.Conv1d):
            return
        assert isinstance(weight, torch.Tensor)
        total += args[0].numel() // args[0].shape[-1] * weight.numel()

    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_hook(count)
        if type(module).__name__ == "StreamShortConv":
            module.register_forward_hook(lambda _m, _args, out: count_taps(out[..., 0].numel()))

    def count_taps(num_cells: int) -> None:
        nonlocal total
        total += num_cells * setting.numbers.width * setting.numbers.conv_width

    objective = Objective(config, setting.layout, seed=0)
    batch = random_batch(setting)
    objective.loss(model, batch, objective.num_items(batch), 0)
    C, S = setting.layout.num_channels, len(setting.layout.sampled_indices)
    device = torch.device("cpu")
    for R in setting.conversation_rows:
        pairs = int(block_causal_mask(0, R, C, device).sum())
        if config.mix < 1.0:
            pairs += S * int(block_causal_mask(0, R, 1, device).sum())
        num_layers = sum(1 for G in setting.numbers.num_kv_heads if G)
        total += setting.num_lines * pairs * 2 * setting.numbers.width * num_layers
    return total


@pytest.mark.parametrize("conversations", [1, 3])
def test_counts_what_a_step_computes(conversations: int) -> None:
    """16 rows, which the collator does not round up: padding is computed and not counted."""
    setting = Setting(TINY, channels_layout(4), 2, 16, num_conversations=conversations)
    work = step_work(setting)
    assert work.forward == counted(setting, ObjectiveConfig(mix=1.0))
    assert work.forward + work.counterfactual == counted(setting, ObjectiveConfig())
    assert work.plain == 3 * work.forward
    assert work.long == work.plain + work.counterfactual


def test_experts_count_as_often_as_they_are_chosen() -> None:
    """The 8B model multiplies with 1.69 billion weights a token, head included (model card)."""
    numbers = shape_named("lfm2.5-8b-a1b")
    setting = Setting(numbers, channels_layout(4), 1, 1024)
    work = step_work(setting)
    attention = 2 * 32 * 64 * 6 * (16 * 1024 * 1023 // 2 + 4 * 1024)
    head = setting.num_targets * 128_000 * 2048
    active = (work.forward - attention - head) / (4 * 1024) + 128_000 * 2048
    assert active == pytest.approx(1.69e9, rel=0.01)
    assert 1.2 < work.ratio < 1.3


def test_conversations_are_as_equal_as_can_be() -> None:
    setting = Setting(TINY, channels_layout(2), 1, 11, num_conversations=3)
    assert setting.conversation_rows == (4, 4, 3)
    assert setting.num_targets == 11 - 3
    assert setting.num_cells == 22
    assert len(random_batch(setting)["conversations_BR"].unique()) == 4  # with padding
