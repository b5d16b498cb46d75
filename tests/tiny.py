"""Tiny random models of the three architectures.

Every weight is drawn so large (norms around 1, matrices with deviation 0.3, non-zero expert
biases) that leaving any of them out moves the logits by far more than a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import torch
from transformers import (
    Lfm2Config,
    Lfm2ForCausalLM,
    Lfm2MoeConfig,
    Lfm2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from motet.runtime.torch import MultiStreamModel, TorchRuntime
from motet.streams import Channel, ConvMode, Layout, Role, SpecialToken

VOCAB_SIZE = 64
CONTEXT_ROWS = 512
NUM_EXPERTS = 8
LAYER_TYPES = ["conv", "full_attention", "conv", "full_attention"]


class Architecture(StrEnum):
    LFM2_MOE = "lfm2_moe"
    LFM2 = "lfm2"
    QWEN3 = "qwen3"


@dataclass(frozen=True)
class Case:
    """One model to test: an architecture, its number of channels, its conv mode."""

    architecture: Architecture
    num_channels: int
    conv_mode: ConvMode = ConvMode.COLUMN
    channel_embedding: bool = True
    attention: bool = True

    def __str__(self) -> str:
        return f"{self.architecture}-C{self.num_channels}-{self.conv_mode}"

    @property
    def has_conv(self) -> bool:
        return self.architecture is not Architecture.QWEN3


def _cases() -> list[Case]:
    cases = []
    for architecture in Architecture:
        for mode in ConvMode:
            if architecture is Architecture.QWEN3 and mode is ConvMode.ROW_BOUNDARY:
                continue  # it has no conv
            cases += [Case(architecture, C, mode) for C in (1, 2, 4, 5)]
    return cases


CASES = _cases()


def stock_model(architecture: Architecture, *, attention: bool = True) -> Any:
    """A stock transformers model; with `attention` off, attention layers add nothing."""
    shape: dict[str, Any] = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": len(LAYER_TYPES),
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT_ROWS,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    base: Any
    if architecture is Architecture.LFM2_MOE:
        base = Lfm2MoeForCausalLM(
            Lfm2MoeConfig(
                **shape,
                layer_types=LAYER_TYPES,
                num_dense_layers=1,
                num_experts=NUM_EXPERTS,
                num_experts_per_tok=2,
                moe_intermediate_size=16,
            )
        )
    elif architecture is Architecture.LFM2:
        base = Lfm2ForCausalLM(
            Lfm2Config(**shape, layer_types=LAYER_TYPES, block_auto_adjust_ff_dim=False)
        )
    else:
        base = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=8, tie_word_embeddings=False))
    _draw_weights(base)
    if not attention:
        for name, parameter in base.named_parameters():
            if "self_attn.o" in name:  # out_proj or o_proj
                parameter.data.zero_()
    return base.eval()


def _draw_weights(base: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in base.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(0.3 * noise if parameter.ndim > 1 else 1 + 0.2 * noise)
    for name, buffer in base.named_buffers():
        if name.endswith("expert_bias"):
            buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))


def make_layout(case: Case) -> Layout:
    """User, Output, then thoughts; one channel alone is the output."""
    channels = [Channel("Output", Role.OUTPUT)]
    if case.num_channels > 1:
        channels.insert(0, Channel("User", Role.INPUT))
    channels += [Channel(f"Think {i}", Role.THOUGHT) for i in range(2, case.num_channels)]
    return Layout(
        channels=tuple(channels),
        silence=SpecialToken(0, "<silence>"),
        end=None,
        conv_mode=case.conv_mode,
        channel_embedding=case.channel_embedding,
    )


def make_model(case: Case) -> MultiStreamModel:
    """A fresh model; the same numbers every time."""
    base = stock_model(case.architecture, attention=case.attention)
    model = MultiStreamModel(base, make_layout(case))
    if model.channel_embedding is not None:
        generator = torch.Generator().manual_seed(1)
        weight = model.channel_embedding.weight
        weight.data.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    return model.eval()


@cache
def tiny_runtime(case: Case) -> TorchRuntime:
    """The runtime of a case, made once; nobody may change its weights."""
    return TorchRuntime(make_model(case))
