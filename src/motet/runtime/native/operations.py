"""What the kernels find at `userdata`: the structures of kernels/abi.h and kernels/rows.h."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int32, c_int64, c_void_p
from enum import IntEnum

RING_ROWS = 64
MAX_HEAD_WIDTH = 256
SEGMENT_FIELDS = 7  # of eight bytes each: cache, ring, snapshots, max, first, num, past cells


class KVType(IntEnum):
    """Precision of the KV cache, by the kernels' numbers."""

    F32 = 0
    F16 = 1
    Q8_0 = 2

    def row_bytes(self, K: int) -> int:
        """Bytes of one head's key or value of one cell."""
        return {KVType.F32: 4 * K, KVType.F16: 2 * K, KVType.Q8_0: K // 32 * 34}[self]


class Call(ctypes.Structure):
    """`struct motet_call`: the sessions of one call; shared by all operations of a runtime."""

    _fields_ = (("segments", c_void_p), ("num_segments", c_int64))


class RowsAttention(ctypes.Structure):
    """`struct motet_rows_attention`."""

    _fields_ = (
        ("call", c_void_p),
        ("q", c_void_p),
        ("k", c_void_p),
        ("v", c_void_p),
        ("out", c_void_p),
        ("H", c_int32),
        ("G", c_int32),
        ("K", c_int32),
        ("C", c_int32),
        ("layer", c_int32),
        ("kv_type", c_int32),
        ("scale", c_float),
        ("level", c_void_p),  # null: the best that this processor has
    )


class RowsConv(ctypes.Structure):
    """`struct motet_rows_conv`."""

    _fields_ = (
        ("call", c_void_p),
        ("bcx", c_void_p),
        ("taps", c_void_p),
        ("out", c_void_p),
        ("D", c_int32),
        ("W", c_int32),
        ("C", c_int32),
        ("layer", c_int32),
        ("num_layers", c_int32),
        ("row_boundary", c_int32),
    )
