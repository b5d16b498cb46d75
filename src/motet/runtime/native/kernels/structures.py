"""What the products find at `userdata`: the structures of kernels/products.h.

Every structure must stay where it is, and what its pointers name must stay alive, as long as a
graph may run it. Activations are blocks (see `block_bytes`), or float32 if the weights are floats.
"""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_int64, c_void_p

BLOCK_VALUES = 32
BLOCK_BYTES = 52  # scale, four offsets and 32 values of 8 bits
TILE_ROWS = 16
MAX_EXPERTS = 256


def block_bytes(num_cells: int, depth: int) -> int:
    """Bytes of the rounded activations of `num_cells` cells with `depth` values each."""
    return num_cells * (depth // BLOCK_VALUES) * BLOCK_BYTES


class Weights(ctypes.Structure):
    """`struct motet_weights`: interleaved weights [N, K], or [E, N, K] for experts."""

    _fields_ = (
        ("tiles", c_void_p),
        ("expert_bytes", c_int64),
        ("num_rows", c_int32),
        ("depth", c_int32),
        ("kind", c_int32),
        ("num_experts", c_int32),
    )


class Progress(ctypes.Structure):
    """`struct motet_progress`: zero when a structure is made; the kernels use it, nobody else."""

    _fields_ = (("next", c_int64), ("num_done", c_int64))


class Quantise(ctypes.Structure):
    """`struct motet_quantise`: x [T, K] float32 to blocks [T, K/32], `span` to a scale."""

    _fields_ = (
        ("level", c_void_p),
        ("x", c_void_p),
        ("blocks", c_void_p),
        ("x_stride", c_int64),
        ("num_cells", c_int32),
        ("depth", c_int32),
        ("span", c_int32),
        ("progress", Progress),
    )


class Product(ctypes.Structure):
    """`struct motet_product`: out [T, N] = residual + activations [T, K] times weights."""

    _fields_ = (
        ("level", c_void_p),
        ("weights", Weights),
        ("activations", c_void_p),
        ("residual", c_void_p),  # or null
        ("out", c_void_p),
        ("residual_stride", c_int64),
        ("out_stride", c_int64),
        ("num_cells", c_int32),
        ("progress", Progress),
    )


class ExpertsUp(ctypes.Structure):
    """`struct motet_experts_up`: hidden [T, A, F] = silu(gate x) * (up x), `span` to a scale."""

    _fields_ = (
        ("level", c_void_p),
        ("gate", Weights),
        ("up", Weights),
        ("activations", c_void_p),
        ("experts", c_void_p),  # or null: a dense feed-forward
        ("hidden", c_void_p),
        ("experts_stride", c_int64),
        ("num_cells", c_int32),
        ("num_active", c_int32),
        ("span", c_int32),
        ("progress", Progress),
    )


class ExpertsDown(ctypes.Structure):
    """`struct motet_experts_down`: out [T, D] = residual + shares times (down hidden)."""

    _fields_ = (
        ("level", c_void_p),
        ("down", Weights),
        ("hidden", c_void_p),
        ("experts", c_void_p),  # or null: a dense feed-forward
        ("shares", c_void_p),  # or null: all 1
        ("residual", c_void_p),  # or null
        ("out", c_void_p),
        ("experts_stride", c_int64),
        ("shares_stride", c_int64),
        ("residual_stride", c_int64),
        ("out_stride", c_int64),
        ("num_cells", c_int32),
        ("num_active", c_int32),
        ("progress", Progress),
    )
