"""The blocks of a transformer as ggml operations on cells.

    x [T, D] -> norm -> attention or short conv -> + x -> norm -> feed-forward -> + x

Everything but the own operations of attention and conv works on one cell at a time, so nothing here
knows about sessions, rows or masks. Sources: the model cards of LFM2, Qwen3 and Llama; the sizes of
tensors and their order are llama.cpp's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from motet.formats.hyperparameters import Architecture
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD, ROPE_FACTORS
from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.operations import Call, KVType, RowsAttention, RowsConv
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
    build: Builder

    def logits(self, T: int, num_wanted: int, inputs: Inputs) -> int:
        """Logits [num_wanted, V] of the wanted ones of T cells.

        Where no cell is wanted: what must be computed so that all layers have seen the cells.
        """
        numbers = self.model.hyperparameters
        x = self.embedded(T, inputs.tokens)
        kinds = {True: 0, False: 0}
        for layer, G in enumerate(numbers.num_kv_heads):
            mix = self.attention if G else self.conv
            normed = self.norm(x, f"blk.{layer}.attn_norm.weight")
            x = self._op(ggml.add, x, mix(normed, T, layer, kinds[G > 0], inputs.positions))
            kinds[G > 0] += 1
            if layer == numbers.num_layers - 1:
                if not num_wanted:
                    return x
                x, T = self._op(ggml.get_rows, x, inputs.wanted), num_wanted
            x = self._op(ggml.add, x, self.feed_forward(x, T, layer))
        head = HEAD if HEAD in self.model.weights else EMBEDDING
        return self.linear(self.norm(x, numbers.final_norm), head)

    def embedded(self, T: int, tokens: int) -> int:
        """Token embedding + channel embedding, [T, D]. Cell t is of channel t % C."""
        D, C = self.model.hyperparameters.width, self.model.layout.num_channels
        x = self._op(ggml.get_rows, self.weight(EMBEDDING), tokens)
        if not self.model.layout.channel_embedding:
            return x
        rows = self._op(ggml.reshape_3d, x, D, C, T // C)
        rows = self._op(ggml.add, rows, self.weight(CHANNEL_EMBEDDING))
        return self._op(ggml.reshape_2d, rows, D, T)

    def norm(self, x: int, name: str) -> int:
        """RMS norm over the last dimension, times the weight called `name`."""
        eps = self.model.hyperparameters.norm_eps
        return self._op(ggml.mul, self._op(ggml.rms_norm, x, eps), self.weight(name))

    def weight(self, name: str) -> int:
        """The weight called `name` as a tensor of this graph."""
        return self.build.weight(self.model.weights[name])

    def linear(self, x: int, name: str) -> int:
        """[T, in] -> [T, out]"""
        return self._op(ggml.mul_mat, self.weight(name), x)

    def attention(self, x: int, T: int, layer: int, index: int, positions: int) -> int:
        """Block-causal attention [T, D] -> [T, D]; `index` counts the attention layers."""
        numbers = self.model.hyperparameters
        name = f"blk.{layer}.attn_"
        H, G, K = numbers.num_heads, numbers.num_kv_heads[layer], numbers.head_width
        q = self._op(ggml.reshape_3d, self.linear(x, name + "q.weight"), K, H, T)
        k = self._op(ggml.reshape_3d, self.linear(x, name + "k.weight"), K, G, T)
        v = self.linear(x, name + "v.weight")
        if numbers.architecture is not Architecture.LLAMA:
            q, k = self.norm(q, name + "q_norm.weight"), self.norm(k, name + "k_norm.weight")
        q, k = self._turned(q, positions), self._turned(k, positions)
        rows = RowsAttention(
            call=ctypes.addressof(self.call), H=H, G=G, K=K, C=self.model.layout.num_channels,
            layer=index, kv_type=self.kv_type, scale=K**-0.5,
        )  # fmt: skip
        stored = self.build.custom("motet_rows_store", rows, (1,), {"k": k, "v": v})
        mixed = self.build.custom(
            "motet_rows_attend", rows, (T, H * K), {"q": q}, after=[stored], result="out"
        )
        return self.linear(mixed, name + "output.weight")

    def _turned(self, heads: int, positions: int) -> int:
        """Heads [T, n, K] turned by the positions of their rows (RoPE)."""
        numbers, factors = self.model.hyperparameters, None
        if ROPE_FACTORS in self.model.weights:
            factors = self.weight(ROPE_FACTORS)
        is_llama = numbers.architecture is Architecture.LLAMA
        return self._op(
            ggml.rope_ext, heads, positions, factors, numbers.head_width,
            ggml.ROPE_NORMAL if is_llama else ggml.ROPE_NEOX, numbers.context_rows,
            numbers.rope_theta, 1.0, 0.0, 1.0, 0.0, 0.0,
        )  # fmt: skip

    def conv(self, x: int, T: int, layer: int, index: int, _positions: int) -> int:
        """LFM2's short conv block [T, D] -> [T, D]; `index` counts the conv layers."""
        numbers, layout = self.model.hyperparameters, self.model.layout
        bcx = self.linear(x, f"blk.{layer}.shortconv.in_proj.weight")
        rows = RowsConv(
            call=ctypes.addressof(self.call), D=numbers.width, W=numbers.conv_width,
            C=layout.num_channels, layer=index, num_layers=numbers.num_kv_heads.count(0),
            row_boundary=layout.conv_mode is ConvMode.ROW_BOUNDARY,
        )  # fmt: skip
        taps = self.build.weight(self.taps[layer])
        v = self.build.custom(
            "motet_rows_conv", rows, (T, numbers.width), {"bcx": bcx, "taps": taps}, result="out"
        )  # fmt: skip
        return self.linear(v, f"blk.{layer}.shortconv.out_proj.weight")

    def feed_forward(self, x: int, T: int, layer: int) -> int:
        """Norm and SwiGLU, of one dense block or of the chosen experts."""
        normed = self.norm(x, f"blk.{layer}.ffn_norm.weight")
        name = f"blk.{layer}.ffn_"
        if self.model.hyperparameters.has_experts(layer):
            return self._experts(normed, T, layer)
        gate, up = (
            self.linear(normed, name + "gate.weight"),
            self.linear(normed, name + "up.weight"),
        )
        return self.linear(self._op(ggml.swiglu_split, gate, up), name + "down.weight")

    def _experts(self, x: int, T: int, layer: int) -> int:
        numbers, name = self.model.hyperparameters, f"blk.{layer}."
        D, A = numbers.width, numbers.num_active_experts
        chosen, shares = self._routed(x, T, layer)
        cells = self._op(ggml.reshape_3d, x, D, 1, T)
        gate, up = (
            self._op(ggml.mul_mat_id, self.weight(f"{name}ffn_{part}_exps.weight"), cells, chosen)
            for part in ("gate", "up")
        )
        inner = self._op(ggml.swiglu_split, gate, up)
        down = self.weight(f"{name}ffn_down_exps.weight")
        outer = self._op(ggml.mul, self._op(ggml.mul_mat_id, down, inner, chosen), shares)
        parts = [self._op(ggml.view_2d, outer, D, T, 4 * D * A, 4 * D * a) for a in range(A)]
        total = parts[0]
        for part in parts[1:]:
            total = self._op(ggml.add, total, part)
        return total

    def _routed(self, x: int, T: int, layer: int) -> tuple[int, int]:
        """The experts chosen for each cell [T, A], and their shares [T, A, 1] of the sum.

        The bias takes part in the choice alone.
        """
        numbers = self.model.hyperparameters
        E, A = numbers.num_experts, numbers.num_active_experts
        scores = self._op(ggml.sigmoid, self.linear(x, f"blk.{layer}.ffn_gate_inp.weight"))
        biased = self._op(ggml.add, scores, self.weight(f"blk.{layer}.exp_probs_b.bias"))
        chosen = self._op(ggml.argsort_top_k, biased, A)
        picked = self._op(ggml.get_rows, self._op(ggml.reshape_3d, scores, 1, E, T), chosen)
        picked = self._op(ggml.reshape_2d, picked, A, T)
        total = self._op(ggml.scale_bias, self._op(ggml.sum_rows, picked), 1.0, _ROUTER_EPS)
        return chosen, self._op(ggml.reshape_3d, self._op(ggml.div, picked, total), 1, A, T)

    def _op(self, function: Callable[..., int], *arguments: object) -> int:
        return function(self.build.context, *arguments)


def conv_taps(model: Model) -> dict[int, Weight]:
    """Taps of each conv layer [W, D]: the files have them the other way round."""
    return {
        layer: weight_of(
            np.ascontiguousarray(model.weights[f"blk.{layer}.shortconv.conv.weight"].floats().T)
        )
        for layer, G in enumerate(model.hyperparameters.num_kv_heads)
        if not G
    }
