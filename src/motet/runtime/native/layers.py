"""The blocks of a transformer as ggml operations on cells.

    x [T, D] -> norm -> attention or short conv -> + x -> norm -> feed-forward -> + x

Everything but the own operations of attention and conv works on one cell at a time, so nothing here
knows about sessions, rows or masks. Sources: the model cards of LFM2, Qwen3 and Llama; the sizes of
tensors and their order are llama.cpp's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from motet.formats.hyperparameters import Architecture
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD, ROPE_FACTORS
from motet.runtime.native import ggml
from motet.runtime.native.kernels import best_level
from motet.runtime.native.operations import Call, KVType, RowsAttention, RowsConv
from motet.runtime.native.products import Products, Routed
from motet.runtime.native.weights import Model, Weight, weight_of
from motet.streams.layout import ConvMode

_ROUTER_EPS = 1e-6  # as transformers' Lfm2Moe adds to the sum of the chosen experts' scores


class Inputs(NamedTuple):
    """Tensors of integers that each computation is given: [T], [T] and [num_wanted]."""

    tokens: int
    positions: int
    wanted: int


@dataclass(frozen=True)
class Layers:
    """Writes the forward of one model into one graph."""

    model: Model
    taps: Mapping[int, Weight]
    call: Call
    kv_type: KVType
    products: Products

    def logits(self, T: int, num_wanted: int, inputs: Inputs) -> int:
        """Logits [num_wanted, V] of the wanted ones of T cells.

        Where no cell is wanted: what must be computed so that all layers have seen the cells.
        """
        op = self.products.op
        numbers = self.model.hyperparameters
        x = self.embedded(T, inputs.tokens)
        kinds = {True: 0, False: 0}
        for layer, G in enumerate(numbers.num_kv_heads):
            mix = self.attention if G else self.conv
            x = mix(x, T, layer, kinds[G > 0], inputs.positions)
            kinds[G > 0] += 1
            if layer == numbers.num_layers - 1:
                if not num_wanted:
                    return x
                x, T = op(ggml.get_rows, x, inputs.wanted), num_wanted
            x = self.feed_forward(x, T, layer)
        head = HEAD if HEAD in self.model.weights else EMBEDDING
        return self.products.linear(self.products.norm(x, numbers.final_norm), T, head)

    def embedded(self, T: int, tokens: int) -> int:
        """Token embedding + channel embedding, [T, D]. Cell t is of channel t % C."""
        op = self.products.op
        D, C = self.model.hyperparameters.width, self.model.layout.num_channels
        x = op(ggml.get_rows, self.products.weight(EMBEDDING), tokens)
        if not self.model.layout.channel_embedding:
            return x
        rows = op(ggml.reshape_3d, x, D, C, T // C)
        rows = op(ggml.add, rows, self.products.weight(CHANNEL_EMBEDDING))
        return op(ggml.reshape_2d, rows, D, T)

    def attention(self, x: int, T: int, layer: int, index: int, positions: int) -> int:
        """x + block-causal attention of the normed x; `index` counts the attention layers."""
        op = self.products.op
        numbers = self.model.hyperparameters
        name = f"blk.{layer}.attn_"
        H, G, K = numbers.num_heads, numbers.num_kv_heads[layer], numbers.head_width
        normed = self.products.norm(x, name + "norm.weight")
        q = op(ggml.reshape_3d, self.products.linear(normed, T, name + "q.weight"), K, H, T)
        k = op(ggml.reshape_3d, self.products.linear(normed, T, name + "k.weight"), K, G, T)
        v = self.products.linear(normed, T, name + "v.weight")
        if numbers.architecture is not Architecture.LLAMA:
            q, k = (
                self.products.norm(q, name + "q_norm.weight"),
                self.products.norm(k, name + "k_norm.weight"),
            )
        q, k = self._turned(q, positions), self._turned(k, positions)
        rows = RowsAttention(
            call=ctypes.addressof(self.call), H=H, G=G, K=K, C=self.model.layout.num_channels,
            layer=index, kv_type=self.kv_type, scale=K**-0.5,
            level=best_level().address,
        )  # fmt: skip
        stored = self.products.build.custom("motet_rows_store", rows, (1,), {"k": k, "v": v})
        mixed = self.products.build.custom(
            "motet_rows_attend", rows, (T, H * K), {"q": q}, after=[stored], result="out"
        )
        return self.products.linear(mixed, T, name + "output.weight", x)

    def _turned(self, heads: int, positions: int) -> int:
        """Heads [T, n, K] turned by the positions of their rows (RoPE)."""
        op = self.products.op
        numbers, factors = self.model.hyperparameters, None
        if ROPE_FACTORS in self.model.weights:
            factors = self.products.weight(ROPE_FACTORS)
        is_llama = numbers.architecture is Architecture.LLAMA
        return op(
            ggml.rope_ext, heads, positions, factors, numbers.head_width,
            ggml.ROPE_NORMAL if is_llama else ggml.ROPE_NEOX, numbers.context_rows,
            numbers.rope_theta, 1.0, 0.0, 1.0, 0.0, 0.0,
        )  # fmt: skip

    def conv(self, x: int, T: int, layer: int, index: int, _positions: int) -> int:
        """x + LFM2's short conv block of the normed x; `index` counts the conv layers."""
        numbers, layout = self.model.hyperparameters, self.model.layout
        normed = self.products.norm(x, f"blk.{layer}.attn_norm.weight")
        bcx = self.products.linear(normed, T, f"blk.{layer}.shortconv.in_proj.weight")
        rows = RowsConv(
            call=ctypes.addressof(self.call), D=numbers.width, W=numbers.conv_width,
            C=layout.num_channels, layer=index, num_layers=numbers.num_kv_heads.count(0),
            row_boundary=layout.conv_mode is ConvMode.ROW_BOUNDARY,
        )  # fmt: skip
        taps = self.products.build.weight(self.taps[layer])
        v = self.products.build.custom(
            "motet_rows_conv", rows, (T, numbers.width), {"bcx": bcx, "taps": taps}, result="out"
        )  # fmt: skip
        return self.products.linear(v, T, f"blk.{layer}.shortconv.out_proj.weight", x)

    def feed_forward(self, x: int, T: int, layer: int) -> int:
        """x + SwiGLU of the normed x, of one dense block or of the chosen experts."""
        numbers, name = self.model.hyperparameters, f"blk.{layer}.ffn_"
        normed = self.products.norm(x, name + "norm.weight")
        ending, routed = ".weight", None
        if numbers.has_experts(layer):
            ending, routed = "_exps.weight", self._routed(normed, T, layer)
        gate, up, down = (f"{name}{part}{ending}" for part in ("gate", "up", "down"))
        return self.products.feed_forward(x, normed, T, (gate, up, down), routed)

    def _routed(self, x: int, T: int, layer: int) -> Routed:
        """The experts of each cell; the bias takes part in the choice alone."""
        op = self.products.op
        numbers = self.model.hyperparameters
        E, A = numbers.num_experts, numbers.num_active_experts
        scores = op(ggml.sigmoid, self.products.linear(x, T, f"blk.{layer}.ffn_gate_inp.weight"))
        biased = op(ggml.add, scores, self.products.weight(f"blk.{layer}.exp_probs_b.bias"))
        experts = op(ggml.argsort_top_k, biased, A)
        self.products.build.keep(experts)
        picked = op(ggml.get_rows, op(ggml.reshape_3d, scores, 1, E, T), experts)
        picked = op(ggml.reshape_2d, picked, A, T)
        total = op(ggml.scale_bias, op(ggml.sum_rows, picked), 1.0, _ROUTER_EPS)
        return Routed(experts, op(ggml.div, picked, total))


def conv_taps(model: Model) -> dict[int, Weight]:
    """Taps of each conv layer [W, D]: the files have them the other way round."""
    return {
        layer: weight_of(
            np.ascontiguousarray(model.weights[f"blk.{layer}.shortconv.conv.weight"].floats().T)
        )
        for layer, G in enumerate(model.hyperparameters.num_kv_heads)
        if not G
    }
