"""Random models of every architecture, wide enough for blocks of 256 weights, in any ggml type.

Matrices have deviation 1 / sqrt(inputs) and the head makes logits of deviation 2. Nothing in such a
network is redundant, so rounding counts far more than in a trained one, and so does a mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from numpy.typing import NDArray

from motet.formats.convert import tensor_type
from motet.formats.ggml_types import GGMLType
from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING
from motet.formats.quantize import Quant, quantized
from motet.runtime.native import Model
from motet.runtime.native.weights import Weight, weight_of
from motet.streams import Channel, ConvMode, Layout, Role, SpecialToken
from motet.streams.layout import single_channel

VOCAB_SIZE = 512
D = 256
NAMES = ("User", "Output", "Think", "Skeptical")

Arrays = Mapping[str, NDArray[np.float32]]


def numbers_of(architecture: Architecture) -> Hyperparameters:
    """Every kind of layer that the architecture has, and not much more."""
    has_conv = architecture in (Architecture.LFM2, Architecture.LFM2_MOE)
    has_experts = architecture is Architecture.LFM2_MOE
    num_kv_heads = (0, 2, 0, 2) if has_conv else (2, 2, 2)
    return Hyperparameters(
        architecture=architecture,
        vocab_size=VOCAB_SIZE,
        context_rows=256,
        width=D,
        num_heads=4,
        head_width=64,
        num_kv_heads=num_kv_heads,
        ffn_width=512,
        norm_eps=1e-5,
        rope_theta=1e4,
        conv_width=3 if has_conv else 0,
        num_dense_layers=1 if has_experts else len(num_kv_heads),
        num_experts=8 if has_experts else 0,
        num_active_experts=2 if has_experts else 0,
        expert_width=D if has_experts else 0,
    )


def layout_of(num_channels: int) -> Layout:
    """One input, the output, thoughts; alone, the output."""
    if num_channels == 1:
        return single_channel(None)
    roles = [Role.INPUT, Role.OUTPUT, *[Role.THOUGHT] * (num_channels - 2)]
    channels = tuple(Channel(n, r) for n, r in zip(NAMES, roles, strict=True))
    silence = SpecialToken(0, "<silence>")
    return Layout(channels, silence, None, ConvMode.COLUMN, channel_embedding=True)


def draw(numbers: Hyperparameters, num_channels: int) -> Arrays:
    """Weights by name; the same every time."""
    dice = np.random.default_rng(0)
    shapes = dict(numbers.shapes())
    if num_channels > 1:
        shapes[CHANNEL_EMBEDDING] = (num_channels, numbers.width)
    arrays = {}
    for name, shape in shapes.items():
        noise = dice.standard_normal(shape, np.float32)
        scale = 1 / np.sqrt(shape[-1])
        if name == EMBEDDING:
            scale *= 2
        if len(shape) == 1 or name == CHANNEL_EMBEDDING:
            scale = 0.1
        arrays[name] = (noise * scale + name.endswith("norm.weight")).astype(np.float32)
    return arrays


def as_model(numbers: Hyperparameters, layout: Layout, arrays: Arrays, quant: Quant) -> Model:
    """The model as `motet convert` would write it."""
    weights = {}
    for name, array in arrays.items():
        kind = tensor_type(name, array.shape, quant)
        blocks = quantized([array.reshape(-1, array.shape[-1])], kind, name)
        data = np.concatenate([block.reshape(-1) for block in blocks])
        weights[name] = Weight(kind, array.shape, data)
    return Model(numbers, layout, weights)


def in_float32(model: Model) -> Model:
    """The same numbers in float32, read from the blocks by another library (gguf)."""
    return changed(model, lambda _, weight: weight_of(numbers_in(weight)))


def numbers_in(weight: Weight) -> NDArray[np.float32]:
    """What the blocks of a tensor stand for."""
    rows = weight.data.reshape(-1, weight.type.num_bytes(weight.shape[-1:]))
    if weight.type in (GGMLType.F32, GGMLType.F16):
        return weight.floats()
    return dequantize(rows, GGMLQuantizationType(weight.type)).reshape(weight.shape)


def changed(model: Model, change: Callable[[str, Weight], Weight]) -> Model:
    """The model with other weights."""
    weights = {name: change(name, weight) for name, weight in model.weights.items()}
    return Model(model.hyperparameters, model.layout, weights)
