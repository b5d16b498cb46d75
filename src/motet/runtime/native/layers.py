"""The blocks of a transformer as ggml operations on cells.

    x [T, D] -> norm -> attention or short conv -> + x -> norm -> feed-forward -> + x

Everything but the own operations of attention and conv works on one cell at a time, so nothing here
knows about sessions, rows or masks. Sources: the model cards of LFM2, Qwen3 and Llama; the sizes of
tensors and their order are llama.cpp's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

import numpy as np

from motet.formats.hyperparameters import Architecture
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD, ROPE_FACTORS
from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.kernels import (
    ExpertsDown,
    ExpertsUp,
    Product,
    Quantise,
    best_level,
    block_bytes,
)
from motet.runtime.native.operations import Call, KVType, RowsAttention, RowsConv
from motet.runtime.native.tiles import Tiles
from motet.runtime.native.weights import Model, Weight, weight_of
from motet.streams.layout import ConvMode

_ROUTER_EPS = 1e-6  # as transformers' Lfm2Moe adds to the sum of the chosen experts' scores


class Inputs(NamedTuple):
    """Tensors of integers that each computation is given: [T], [T] and [num_wanted]."""

    tokens: int
    positions: int
    wanted: int


class Routed(NamedTuple):
    """Tensors: the experts of each cell [T, A], and their shares [T, A] of the sum.

    Rows of `experts` lie E numbers apart: it is the head of a whole ranking.
    """

    experts: int
    shares: int


@dataclass(frozen=True)
class Layers:
    """Writes the forward of one model into one graph."""

    model: Model
    taps: Mapping[int, Weight]
    tiles: Tiles
    call: Call
    kv_type: KVType
    build: Builder
    chosen: list[int] = field(default_factory=list)
    _blocks: dict[int, int] = field(default_factory=dict)

    def logits(self, T: int, num_wanted: int, inputs: Inputs) -> int:
        """Logits [num_wanted, V] of the wanted ones of T cells.

        Where no cell is wanted: what must be computed so that all layers have seen the cells.
        """
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
                x, T = self._op(ggml.get_rows, x, inputs.wanted), num_wanted
            x = self.feed_forward(x, T, layer)
        head = HEAD if HEAD in self.model.weights else EMBEDDING
        return self.linear(self.norm(x, numbers.final_norm), T, head)

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

    def linear(self, x: int, T: int, name: str, residual: int | None = None) -> int:
        """[T, in] -> [T, out], plus `residual` [T, out] if there is one."""
        if name not in self.tiles:
            out = self._op(ggml.mul_mat, self.weight(name), x)
            return out if residual is None else self._op(ggml.add, residual, out)
        N = self.model.weights[name].shape[0]
        product = Product(
            level=best_level().address, weights=self.tiles[name], residual_stride=N, out_stride=N,
            num_cells=T,
        )  # fmt: skip
        reads = {"blocks": self.blocks(x, T, self.model.weights[name].shape[1])}
        if residual is not None:
            reads["residual"] = residual
        return self.build.custom("motet_product", product, (T, N), reads, result="out")

    def blocks(self, x: int, T: int, depth: int) -> int:
        """x [T, depth] rounded to 8 bits, once for all products that read it."""
        if x not in self._blocks:
            quantise = Quantise(
                level=best_level().address, x_stride=depth, num_cells=T, depth=depth
            )
            shape = (T, block_bytes(1, depth) // 4)
            self._blocks[x] = self.build.custom(
                "motet_quantise", quantise, shape, {"x": x}, result="blocks"
            )
        return self._blocks[x]

    def attention(self, x: int, T: int, layer: int, index: int, positions: int) -> int:
        """x + block-causal attention of the normed x; `index` counts the attention layers."""
        numbers = self.model.hyperparameters
        name = f"blk.{layer}.attn_"
        H, G, K = numbers.num_heads, numbers.num_kv_heads[layer], numbers.head_width
        normed = self.norm(x, name + "norm.weight")
        q = self._op(ggml.reshape_3d, self.linear(normed, T, name + "q.weight"), K, H, T)
        k = self._op(ggml.reshape_3d, self.linear(normed, T, name + "k.weight"), K, G, T)
        v = self.linear(normed, T, name + "v.weight")
        if numbers.architecture is not Architecture.LLAMA:
            q, k = self.norm(q, name + "q_norm.weight"), self.norm(k, name + "k_norm.weight")
        q, k = self._turned(q, positions), self._turned(k, positions)
        rows = RowsAttention(
            call=ctypes.addressof(self.call), H=H, G=G, K=K, C=self.model.layout.num_channels,
            layer=index, kv_type=self.kv_type, scale=K**-0.5,
            level=best_level().address,
        )  # fmt: skip
        stored = self.build.custom("motet_rows_store", rows, (1,), {"k": k, "v": v})
        mixed = self.build.custom(
            "motet_rows_attend", rows, (T, H * K), {"q": q}, after=[stored], result="out"
        )
        return self.linear(mixed, T, name + "output.weight", x)

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
        """x + LFM2's short conv block of the normed x; `index` counts the conv layers."""
        numbers, layout = self.model.hyperparameters, self.model.layout
        normed = self.norm(x, f"blk.{layer}.attn_norm.weight")
        bcx = self.linear(normed, T, f"blk.{layer}.shortconv.in_proj.weight")
        rows = RowsConv(
            call=ctypes.addressof(self.call), D=numbers.width, W=numbers.conv_width,
            C=layout.num_channels, layer=index, num_layers=numbers.num_kv_heads.count(0),
            row_boundary=layout.conv_mode is ConvMode.ROW_BOUNDARY,
        )  # fmt: skip
        taps = self.build.weight(self.taps[layer])
        v = self.build.custom(
            "motet_rows_conv", rows, (T, numbers.width), {"bcx": bcx, "taps": taps}, result="out"
        )  # fmt: skip
        return self.linear(v, T, f"blk.{layer}.shortconv.out_proj.weight", x)

    def feed_forward(self, x: int, T: int, layer: int) -> int:
        """x + SwiGLU of the normed x, of one dense block or of the chosen experts."""
        numbers, name = self.model.hyperparameters, f"blk.{layer}.ffn_"
        normed = self.norm(x, name + "norm.weight")
        ending, routed = ".weight", None
        if numbers.has_experts(layer):
            ending, routed = "_exps.weight", self._routed(normed, T, layer)
        gate, up, down = (f"{name}{part}{ending}" for part in ("gate", "up", "down"))
        if down in self.tiles:
            return self._own_feed_forward(x, normed, T, (gate, up, down), routed)
        if routed is None:
            parts = self.linear(normed, T, gate), self.linear(normed, T, up)
            return self.linear(self._op(ggml.swiglu_split, *parts), T, down, x)
        return self._op(ggml.add, x, self._experts(normed, T, (gate, up, down), routed))

    def _own_feed_forward(
        self,
        x: int,
        normed: int,
        T: int,
        names: tuple[str, str, str],
        routed: Routed | None,
    ) -> int:
        gate, up, down = (self.tiles[name] for name in names)
        D, F = down.num_rows, down.depth
        A = self.model.hyperparameters.num_active_experts if routed else 1
        level, num_experts = best_level().address, self.model.hyperparameters.num_experts
        reads = {} if routed is None else {"experts": routed.experts}
        first = ExpertsUp(
            level=level, gate=gate, up=up, experts_stride=num_experts, num_cells=T, num_active=A
        )
        hidden = self.build.custom(
            "motet_experts_up", first, (T, A, block_bytes(1, F) // 4),
            {"blocks": self.blocks(normed, T, D), **reads}, result="hidden",
        )  # fmt: skip
        if routed is not None:
            reads["shares"] = routed.shares
        second = ExpertsDown(
            level=level, down=down, experts_stride=num_experts, shares_stride=A,
            residual_stride=D, out_stride=D, num_cells=T, num_active=A,
        )  # fmt: skip
        return self.build.custom(
            "motet_experts_down", second, (T, D), {"hidden": hidden, "residual": x, **reads},
            result="out",
        )  # fmt: skip

    def _experts(self, x: int, T: int, names: tuple[str, str, str], routed: Routed) -> int:
        D, A = self.model.hyperparameters.width, self.model.hyperparameters.num_active_experts
        gate, up, down = (self.weight(name) for name in names)
        cells = self._op(ggml.reshape_3d, x, D, 1, T)
        inner = self._op(
            ggml.swiglu_split,
            self._op(ggml.mul_mat_id, gate, cells, routed.experts),
            self._op(ggml.mul_mat_id, up, cells, routed.experts),
        )
        shares = self._op(ggml.reshape_3d, routed.shares, 1, A, T)
        outer = self._op(ggml.mul, self._op(ggml.mul_mat_id, down, inner, routed.experts), shares)
        parts = [self._op(ggml.view_2d, outer, D, T, 4 * D * A, 4 * D * a) for a in range(A)]
        return reduce(lambda total, part: self._op(ggml.add, total, part), parts)

    def _routed(self, x: int, T: int, layer: int) -> Routed:
        """The experts of each cell; the bias takes part in the choice alone."""
        numbers = self.model.hyperparameters
        E, A = numbers.num_experts, numbers.num_active_experts
        scores = self._op(ggml.sigmoid, self.linear(x, T, f"blk.{layer}.ffn_gate_inp.weight"))
        biased = self._op(ggml.add, scores, self.weight(f"blk.{layer}.exp_probs_b.bias"))
        experts = self._op(ggml.argsort_top_k, biased, A)
        self.chosen.append(experts)
        picked = self._op(ggml.get_rows, self._op(ggml.reshape_3d, scores, 1, E, T), experts)
        picked = self._op(ggml.reshape_2d, picked, A, T)
        total = self._op(ggml.scale_bias, self._op(ggml.sum_rows, picked), 1.0, _ROUTER_EPS)
        return Routed(experts, self._op(ggml.div, picked, total))

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
