"""The tiny random models of `tests.tiny`, and a `llama` one, in the native runtime.

Weights take the way that a user's take: saved as a model directory and read from there without
PyTorch. Threads: one, so that no OpenMP runtime but the tests' own does anything in this process.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from motet.formats.directory import read_directory
from motet.formats.ggml_types import GGMLType
from motet.runtime.native import KVType, Model, NativeRuntime
from motet.runtime.native.weights import read_model
from motet.runtime.torch.checkpoint import CHANNEL_EMBEDDING_KEY, save_model
from motet.streams import ConvMode, Layout
from tests.tiny import CONTEXT_ROWS, VOCAB_SIZE, Architecture, Case, make_layout, make_model

LFM2_MOE, LFM2, QWEN3 = Architecture.LFM2_MOE, Architecture.LFM2, Architecture.QWEN3
CASES = [
    Case(LFM2_MOE, 4),
    Case(LFM2_MOE, 1),
    Case(LFM2, 4, ConvMode.ROW_BOUNDARY),
    Case(LFM2, 5),
    Case(LFM2, 1, ConvMode.ROW_BOUNDARY),
    Case(QWEN3, 4),
    Case(QWEN3, 1),
]


@cache
def read_case(case: Case) -> Model:
    """The model of a case, read from a directory, in float32."""
    with tempfile.TemporaryDirectory() as directory:
        save_model(make_model(case), Path(directory))
        return read_model(read_directory(directory), GGMLType.F32)


def native(case: Case, **options: Any) -> NativeRuntime:
    """A fresh runtime of a case, its cache in float32 so that no rounding hides anything."""
    return NativeRuntime(read_case(case), **{"kv_type": KVType.F32, "num_threads": 1, **options})


@cache
def tiny_native(case: Case) -> NativeRuntime:
    """The runtime of a case, made once; nobody may change it."""
    return native(case)


def stock_llama() -> Any:
    """A stock Llama with three query heads a KV head and factors of its own for each frequency."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE, hidden_size=48, intermediate_size=40, num_hidden_layers=3,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=CONTEXT_ROWS,
        tie_word_embeddings=False, rms_norm_eps=1e-5,
    )  # fmt: skip
    base = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in base.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(0.3 * noise if parameter.ndim > 1 else 1 + 0.2 * noise)
    return base.eval()


def llama_layout(num_channels: int) -> Layout:
    """A layout without conv to speak of."""
    return replace(make_layout(Case(QWEN3, num_channels)), channel_embedding=num_channels > 1)


def channel_embedding_CD(num_channels: int) -> torch.Tensor:
    """What `llama` channels are marked with."""
    return 0.3 * torch.randn(num_channels, 48, generator=torch.Generator().manual_seed(1))


def native_llama(num_channels: int) -> NativeRuntime:
    """`stock_llama` with channels."""
    base, layout = stock_llama(), llama_layout(num_channels)
    state = dict(base.state_dict())
    if layout.channel_embedding:
        state[CHANNEL_EMBEDDING_KEY] = channel_embedding_CD(num_channels)
    with tempfile.TemporaryDirectory() as directory:
        base.save_pretrained(directory, state_dict=state)
        layout.save(Path(directory))
        model = read_model(read_directory(directory), GGMLType.F32)
    return NativeRuntime(model, kv_type=KVType.F32, num_threads=1)


def random_tokens(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Token ids."""
    return np.random.default_rng(seed).integers(0, VOCAB_SIZE, shape, dtype=np.int32)
