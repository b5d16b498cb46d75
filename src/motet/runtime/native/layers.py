"""The blocks of a transformer as ggml operations on cells.

    x [T, D] -> norm -> attention or short conv -> + x -> norm -> feed-forward -> + x

Everything but attention and the short convolution works on one cell at a time, so nothing here
knows about sessions, rows or masks: the two are left to a `Mixing`. Sources: the model cards of
LFM2, Qwen3 and Llama; the sizes of tensors and their order are llama.cpp's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from motet.formats.hyperparameters import Architecture
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD, ROPE_FACTORS
from motet.runtime.native import ggml
from motet.runtime.native.products import Products, Routed
from motet.runtime.native.weights import Model, Weight, weight_of

_ROUTER_EPS = 1e-6  # as transformers' Lfm2Moe adds to the sum of the chosen experts' scores


class Mixing(Protocol):
    """The two operations that go beyond a cell, and must find its session's past."""

    def attend(self, q: int, k: int, v: int, T: int, index: int) -> int:
        """Block-causal attention of the heads q [T, H, K] over the past, and k and v [T, G, K].

        index: counts the attention layers. Returns [T, H * K].
        """
        ...

    def convolve(self, bcx: int, T: int, layer: int, index: int) -> int:
        """LFM2's gated short convolution of bcx [T, 3 * D]; `index` counts the conv layers.

        Returns [T, D].
        """
        ...


@dataclass(frozen=True)
class Layers:
    """Writes the forward of one model into one graph."""

    model: Model
    products: Products
    mixing: Mixing

    def logits(self, x: int, T: int, positions: int, wanted: int, num_wanted: int) -> int:
        """Logits [num_wanted, V] of the wanted ones of T cells.

        x [T, D]: their tokens' embeddings. positions [T] and wanted [num_wanted]: integers. Where
        no cell is wanted: what must be computed so that all layers have seen the cells.
        """
        op = self.products.op
        numbers = self.model.hyperparameters
        x = self.marked(x, T)
        kinds = {True: 0, False: 0}
        for layer, G in enumerate(numbers.num_kv_heads):
            mix = self.attention if G else self.conv
            x = mix(x, T, layer, kinds[G > 0], positions)
            kinds[G > 0] += 1
            if layer == numbers.num_layers - 1:
                if not num_wanted:
                    return x
                x, T = op(ggml.get_rows, x, wanted), num_wanted
            x = self.feed_forward(x, T, layer)
        head = HEAD if HEAD in self.model.weights else EMBEDDING
        return self.products.linear(self.products.norm(x, numbers.final_norm), T, head)

    def marked(self, x: int, T: int) -> int:
        """x + channel embedding, [T, D]. Cell t is of channel t % C."""
        op = self.products.op
        D, C = self.model.hyperparameters.width, self.model.layout.num_channels
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
        v = op(ggml.reshape_3d, self.products.linear(normed, T, name + "v.weight"), K, G, T)
        if numbers.architecture is not Architecture.LLAMA:
            q, k = (
                self.products.norm(q, name + "q_norm.weight"),
                self.products.norm(k, name + "k_norm.weight"),
            )
        q, k = self._turned(q, positions), self._turned(k, positions)
        mixed = self.mixing.attend(q, k, v, T, index)
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
        normed = self.products.norm(x, f"blk.{layer}.attn_norm.weight")
        bcx = self.products.linear(normed, T, f"blk.{layer}.shortconv.in_proj.weight")
        v = self.mixing.convolve(bcx, T, layer, index)
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
