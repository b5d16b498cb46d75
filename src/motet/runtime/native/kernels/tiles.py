"""Weights in the order that the products read them: tiles of 16 rows times 32 values.

The tiles hold the same numbers as GGUF's blocks, in as many bytes; only the order differs (see
kernels/products.h). One order serves all instruction sets.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType
from motet.runtime.native.kernels.declared import library
from motet.runtime.native.kernels.structures import (
    BLOCK_VALUES,
    MAX_EXPERTS,
    TILE_ROWS,
    Weights,
    block_bytes,
)

Bytes = NDArray[np.uint8]
_KINDS = {  # as the kernels number them
    GGMLType.Q4_0: 0, GGMLType.Q8_0: 1, GGMLType.Q4_K: 2, GGMLType.Q5_K: 3, GGMLType.Q6_K: 4,
    GGMLType.IQ4_XS: 5, GGMLType.F32: 6, GGMLType.F16: 7, GGMLType.BF16: 8,
}  # fmt: skip


def misfit(kind: GGMLType, shape: tuple[int, ...]) -> str | None:
    """Why the kernels cannot take a matrix [N, K] or experts [E, N, K]; None if they can."""
    if kind not in _KINDS:
        return f"{kind.name} weights ({', '.join(fitting.name for fitting in _KINDS)} fit)"
    if len(shape) not in (2, 3):
        return f"{len(shape)} dimensions"
    unit = max(BLOCK_VALUES, kind.block_size)
    if shape[-1] % unit or shape[-1] == 0:
        return f"depth {shape[-1]} is not a multiple of {unit}"
    if shape[-2] % TILE_ROWS or shape[-2] == 0:
        return f"{shape[-2]} rows are not a multiple of {TILE_ROWS}"
    if len(shape) == 3 and not 0 < shape[0] <= MAX_EXPERTS:
        return f"{shape[0]} experts ({MAX_EXPERTS} at most)"
    return None


def fits(kind: GGMLType, shape: tuple[int, ...]) -> bool:
    """Whether the kernels can take a matrix [N, K] or experts [E, N, K].

    The rows of gate and up, whose results `down` takes in blocks, must be a multiple of 32: this
    is so if `down`, [E, D, F], fits.
    """
    return misfit(kind, shape) is None


def takes_floats(kind: GGMLType) -> bool:
    """Whether activations are float32 for weights of this type, or else rounded to blocks.

    Gate, up and down of one feed-forward must agree in this.
    """
    return kind in (GGMLType.F32, GGMLType.F16, GGMLType.BF16)


def span_of(*kinds: GGMLType) -> int:
    """How many blocks of 32 activations share a scale, for weights of all these types."""
    return 8 if GGMLType.IQ4_XS in kinds else 1


def activation_bytes(kind: GGMLType, num_cells: int, depth: int) -> int:
    """Bytes of the activations of `num_cells` cells for weights [N, depth] of this type."""
    return 4 * num_cells * depth if takes_floats(kind) else block_bytes(num_cells, depth)


def tile_bytes(kind: GGMLType, shape: tuple[int, ...]) -> int:
    """Bytes of the tiles: as many as the blocks have."""
    return kind.num_bytes(shape)


def interleave(
    kind: GGMLType, shape: tuple[int, ...], blocks: Bytes, out: Bytes | None = None
) -> Bytes:
    """Tiles of the GGUF blocks of a matrix or of experts; written to `out` if given.

    Releases the GIL while it works, so parts of a tensor (rows in multiples of 16) can be done by
    several threads. CheckpointError if the shape does not fit or the bytes are not as many.
    """
    return _move(library().motet_interleave, kind, shape, blocks, out)


def deinterleave(
    kind: GGMLType, shape: tuple[int, ...], tiles: Bytes, out: Bytes | None = None
) -> Bytes:
    """The reverse of `interleave`."""
    return _move(library().motet_deinterleave, kind, shape, tiles, out)


def _move(
    function: object, kind: GGMLType, shape: tuple[int, ...], source: Bytes, out: Bytes | None
) -> Bytes:
    reason = misfit(kind, shape)
    if reason is not None:
        raise CheckpointError("weights", expected="a shape that interleaves", got=reason)
    out = np.empty(tile_bytes(kind, shape), np.uint8) if out is None else out
    for array in (source, out):
        if array.size != tile_bytes(kind, shape) or not array.flags.c_contiguous:
            raise CheckpointError(
                "weights", expected=f"{tile_bytes(kind, shape)} contiguous bytes", got=array.size
            )
    num_rows = math.prod(shape[:-1])
    assert callable(function)
    function(_KINDS[kind], source.ctypes.data, out.ctypes.data, 0, num_rows, shape[-1])
    return out


def weights_of(kind: GGMLType, shape: tuple[int, ...], tiles_address: int) -> Weights:
    """The structure that names interleaved weights at an address; they must stay alive."""
    num_experts = shape[0] if len(shape) == 3 else 1
    return Weights(
        tiles=tiles_address,
        expert_bytes=kind.num_bytes(shape[-2:]) if len(shape) == 3 else 0,
        num_rows=shape[-2],
        depth=shape[-1],
        kind=_KINDS[kind],
        num_experts=num_experts,
    )
