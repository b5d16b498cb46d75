"""Where the weights come from: a model directory, or a random start of given sizes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from motet.streams.layout import ConvMode, Role
from motet.train.config.section import Count, NotNegative, Positive, Section

__all__ = [
    "ChannelConfig",
    "GrowConfig",
    "LayoutConfig",
    "ModelConfig",
    "NewModelConfig",
    "Precision",
]


class Precision(StrEnum):
    """float32; bfloat16 throughout; or float32 weights with the arithmetic in bfloat16."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    MIXED_BFLOAT16 = "mixed_bfloat16"


class NewModelConfig(Section):
    """The sizes of a model that starts from random weights.

    layers: a letter a layer, c = short conv, a = attention (qwen3 has attention only). D, H, G, E,
    F, A as in the design: width D, H query and G key heads; of E experts of width F, A are active,
    from layer `num_dense_layers` on; the others have a plain feed-forward of `dense_width`.
    tokenizer: a tokenizer.json.
    """

    tokenizer: str
    architecture: Literal["lfm2_moe", "lfm2", "qwen3"] = "lfm2_moe"
    layers: Annotated[str, Field(pattern="^[ac]+$")] = "cacaca"
    width: Count = 128
    num_heads: Count = 4
    num_kv_heads: Count = 2
    dense_width: Count = 384
    num_dense_layers: Annotated[int, Field(ge=0)] = 1
    num_experts: Count = 8
    num_active_experts: Count = 2
    expert_width: Count = 128
    rope_theta: Positive = 10_000.0
    max_rows: Count = 2_048

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.architecture == "qwen3" and "c" in self.layers:
            raise ValueError("qwen3 has no short conv: layers may only be a")
        if self.num_heads % self.num_kv_heads:
            raise ValueError("num_heads must be a multiple of num_kv_heads")
        if self.width % (2 * self.num_heads):
            raise ValueError("width must be a multiple of 2 * num_heads")
        if self.num_active_experts > self.num_experts:
            raise ValueError("num_active_experts may not exceed num_experts")
        if self.num_dense_layers > len(self.layers):
            raise ValueError("num_dense_layers may not exceed the number of layers")
        return self


class GrowConfig(Section):
    """A start with more layers (its own, with copies in between) and more experts, at most twice.

    What is not given stays as it is.
    """

    layers: Annotated[str, Field(pattern="^[ac]+$")] | None = None
    num_experts: Count | None = None


class ChannelConfig(Section):
    """One channel: its name, and its role (input, output, thought)."""

    name: str
    role: Role


class LayoutConfig(Section):
    """The channels of a model that has none yet, and the text of its special tokens.

    A token that the tokenizer lacks is added to it; "" means none. channel_embedding_std: standard
    deviation of the new channel embeddings; 0 makes all channels alike at first.
    """

    channels: Annotated[tuple[ChannelConfig, ...], Field(min_length=1)]
    silence: str = "<|silence|>"
    end: str = "<|end|>"
    conv_mode: ConvMode = ConvMode.COLUMN
    channel_embedding: bool = True
    channel_embedding_std: NotNegative = 0.02


class ModelConfig(Section):
    """start: a directory (own, published or a base model), or nothing if there is `new`.

    grow: begin larger than `start`, a mixture of experts, is. gradient_checkpointing: compute
    activations once more in the backward pass instead of keeping them.
    """

    start: str | None = None
    new: NewModelConfig | None = None
    grow: GrowConfig | None = None
    precision: Precision = Precision.FLOAT32
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.start is None) == (self.new is None):
            raise ValueError("give either start, a model directory, or the section new")
        if self.grow is not None and self.start is None:
            raise ValueError("grow needs start, the model that is to grow")
        return self
