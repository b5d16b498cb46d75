"""Products with weights, each on the path that was chosen for it when the model was opened.

Our own kernels take float32 activations for float weights, and for others activations rounded to
blocks of 8 bits: they are rounded once for all products that read them. A residual is added where
the product is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.kernels import (
    ExpertsDown,
    ExpertsUp,
    Product,
    Quantise,
    Weights,
    activation_bytes,
    best_level,
    block_bytes,
    span_of,
    takes_floats,
)
from motet.runtime.native.tiles import Tiles
from motet.runtime.native.weights import Model


class Routed(NamedTuple):
    """Tensors: the experts of each cell [T, A], and their shares [T, A] of the sum.

    Rows of `experts` lie E numbers apart: it is the head of a whole ranking.
    """

    experts: int
    shares: int


@dataclass(frozen=True)
class Products:
    """Products of one model's weights in one graph."""

    model: Model
    tiles: Tiles | Mapping[str, Weights]
    build: Builder
    _blocks: dict[tuple[int, int], int] = field(default_factory=dict)

    def op(self, function: Callable[..., int], *arguments: object) -> int:
        """An operation of ggml."""
        return function(self.build.context, *arguments)

    def norm(self, x: int, name: str) -> int:
        """RMS norm over the last dimension, times the weight called `name`."""
        eps = self.model.hyperparameters.norm_eps
        return self.op(ggml.mul, self.op(ggml.rms_norm, x, eps), self.weight(name))

    def product(self, a: int, b: int) -> int:
        """ggml's product of `a`, transposed, with `b`."""
        return self.op(ggml.mul_mat, a, b)

    def weight(self, name: str) -> int:
        """The weight called `name` as a tensor of this graph."""
        return self.build.weight(self.model.weights[name])

    def linear(self, x: int, T: int, name: str, residual: int | None = None) -> int:
        """[T, in] -> [T, out], plus `residual` [T, out] if there is one."""
        if name not in self.tiles:
            out = self.product(self.weight(name), x)
            return out if residual is None else self.op(ggml.add, residual, out)
        N = self.model.weights[name].shape[0]
        product = Product(
            level=best_level().address, weights=self.tiles[name], residual_stride=N, out_stride=N,
            num_cells=T,
        )  # fmt: skip
        reads = {"activations": self.taken(x, T, name)}
        if residual is not None:
            reads["residual"] = residual
        return self.build.custom("motet_product", product, (T, N), reads, result="out")

    def taken(self, x: int, T: int, *names: str) -> int:
        """x [T, depth] as our own products with the weights of these names take it."""
        weights = [self.model.weights[name] for name in names]
        if takes_floats(weights[0].type):
            return x
        return self.blocks(x, T, weights[0].shape[-1], span_of(*(w.type for w in weights)))

    def blocks(self, x: int, T: int, depth: int, span: int) -> int:
        """x [T, depth] rounded to 8 bits, once for all products that read it so.

        span: how many blocks share a scale.
        """
        if (x, span) not in self._blocks:
            quantise = Quantise(
                level=best_level().address, x_stride=depth, num_cells=T, depth=depth, span=span
            )
            shape = (T, block_bytes(1, depth) // 4)
            self._blocks[x, span] = self.build.custom(
                "motet_quantise", quantise, shape, {"x": x}, result="blocks"
            )
        return self._blocks[x, span]

    def feed_forward(
        self, x: int, normed: int, T: int, names: tuple[str, str, str], routed: Routed | None
    ) -> int:
        """x + down (silu(gate normed) * up normed), of one block or of the chosen experts."""
        if names[2] in self.tiles:
            return self._own_feed_forward(x, normed, T, names, routed)
        if routed is not None:
            return self.op(ggml.add, x, self._experts(normed, T, names, routed))
        gate, up = (self.linear(normed, T, name) for name in names[:2])
        return self.linear(self.op(ggml.swiglu_split, gate, up), T, names[2], x)

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
        down_type = self.model.weights[names[2]].type
        A = self.model.hyperparameters.num_active_experts if routed else 1
        level, num_experts = best_level().address, self.model.hyperparameters.num_experts
        reads = {} if routed is None else {"experts": routed.experts}
        first = ExpertsUp(
            level=level, gate=gate, up=up, experts_stride=num_experts, num_cells=T, num_active=A,
            span=span_of(down_type),
        )  # fmt: skip
        hidden_bytes = activation_bytes(down_type, 1, F)
        hidden = self.build.custom(
            "motet_experts_up", first, (T, A, hidden_bytes // 4),
            {"activations": self.taken(normed, T, *names[:2]), **reads}, result="hidden",
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
        cells = self.op(ggml.reshape_3d, x, D, 1, T)
        inner = self.op(
            ggml.swiglu_split,
            self.op(ggml.mul_mat_id, gate, cells, routed.experts),
            self.op(ggml.mul_mat_id, up, cells, routed.experts),
        )
        shares = self.op(ggml.reshape_3d, routed.shares, 1, A, T)
        outer = self.op(ggml.mul, self.op(ggml.mul_mat_id, down, inner, routed.experts), shares)
        parts = [self.op(ggml.view_2d, outer, D, T, 4 * D * A, 4 * D * a) for a in range(A)]
        return reduce(lambda total, part: self.op(ggml.add, total, part), parts)
