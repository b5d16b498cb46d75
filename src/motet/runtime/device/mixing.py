"""Attention and short convolution of ggml's stock operations, session by session.

Keys, values and conv inputs are written into the tensors of each session's state. Attention reads
the cache behind its own writes, so that their order is explicit; the convolution reads its past
before it is overwritten, because what is kept depends on what was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from motet.runtime.device import backends
from motet.runtime.device.products import DeviceProducts
from motet.runtime.device.state import DeviceState
from motet.runtime.native import ggml
from motet.runtime.native.state import StateShape

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Segment:
    """One session in a graph. first, num_cells: its cells of the forward. span: cached cells.

    inputs: tensors of what `places` says of it, by name.
    """

    state: DeviceState
    first: int
    num_cells: int
    span: int
    inputs: Mapping[str, int]


@dataclass(frozen=True)
class StockMixing:
    """A `Mixing` of some sessions. taps: inputs of integers [cells], earliest first.

    writes: tensors that must be computed, though no logit depends on them.
    """

    products: DeviceProducts
    shape: StateShape
    num_heads: int
    segments: Sequence[Segment]
    taps: Sequence[int]
    writes: list[int] = field(default_factory=list)

    def attend(self, q: int, k: int, v: int, _T: int, index: int) -> int:
        """See `Mixing`."""
        return self._joined([self._attended(q, k, v, index, s) for s in self.segments])

    def convolve(self, bcx: int, T: int, layer: int, index: int) -> int:
        """See `Mixing`."""
        op, D = self.products.op, self.shape.D
        row = 3 * D * _FLOAT_BYTES
        b, c, x = (op(ggml.view_2d, bcx, D, T, row, part * D * _FLOAT_BYTES) for part in range(3))
        u = op(ggml.mul, b, x)
        name = ("conv", index)
        pasts = [
            op(ggml.get_rows, s.state.memory.tensors[name], s.inputs["past"]) for s in self.segments
        ]
        inputs = self._joined([*pasts, u])
        for segment in self.segments:
            new = op(ggml.get_rows, inputs, segment.inputs["sources"])
            history = segment.state.memory.tensors[name]
            self.writes.append(op(backends.set_rows, history, new, segment.inputs["slots"]))
        weights = self.products.weight(f"blk.{layer}.shortconv.conv.weight")
        taken = [op(ggml.get_rows, inputs, tap) for tap in self.taps]
        total = None
        for tap, rows in enumerate([*taken, u]):
            weight = op(ggml.view_2d, weights, D, 1, D * _FLOAT_BYTES, tap * D * _FLOAT_BYTES)
            term = op(ggml.mul, rows, weight)
            total = term if total is None else op(ggml.add, total, term)
        return op(ggml.mul, c, total)

    def _attended(self, q: int, k: int, v: int, index: int, segment: Segment) -> int:
        """Attention of one session's cells, [cells, H * K]."""
        op, shape = self.products.op, self.shape
        keys = self._stored(k, "k", index, segment)
        values = self._stored(v, "v", index, segment)
        scores = self.products.product(keys, self._cells_of(q, self.num_heads, segment))
        shares = op(backends.soft_max_ext, scores, segment.inputs["mask"], shape.K**-0.5, 0.0)
        turned = op(backends.cont, op(backends.permute, values, 1, 0, 2, 3))
        mixed = op(backends.permute, self.products.product(turned, shares), 0, 2, 1, 3)
        return op(backends.cont_2d, mixed, self.num_heads * shape.K, segment.num_cells)

    def _stored(self, heads: int, kind: str, index: int, segment: Segment) -> int:
        """The cached keys or values [G, span, K], with those of the new cells."""
        op, shape, state = self.products.op, self.shape, segment.state
        new = self._cells_of(heads, shape.G, segment)
        cache = op(
            backends.set_rows, state.memory.tensors[kind, index], new, segment.inputs["cells"]
        )
        row = shape.kv_type.row_bytes(shape.K)
        return op(
            backends.view_3d, cache, shape.K, segment.span, shape.G,
            row, row * state.max_rows * shape.C, 0,
        )  # fmt: skip

    def _cells_of(self, heads: int, num_heads: int, segment: Segment) -> int:
        """Heads [T, num_heads, K] of one session's cells as [num_heads, cells, K]."""
        op, K = self.products.op, self.shape.K
        head = K * _FLOAT_BYTES
        cell = num_heads * head
        rows = op(
            backends.view_3d, heads, K, num_heads, segment.num_cells, head, cell,
            segment.first * cell,
        )  # fmt: skip
        return op(backends.permute, rows, 0, 2, 1, 3)

    def _joined(self, parts: Sequence[int]) -> int:
        """Rows of all parts, one part after the other; halves first, to copy little."""
        if len(parts) == 1:
            return parts[0]
        half = len(parts) // 2
        return self.products.op(
            backends.concat, self._joined(parts[:half]), self._joined(parts[half:]), 1
        )
