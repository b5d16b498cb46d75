"""How this build of ggml adds products of float16: in float32, or in float16 where machines can."""

from __future__ import annotations

from ctypes import CFUNCTYPE, addressof, c_float, c_int, c_size_t, c_void_p

import numpy as np

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import ggml

_VecDot = CFUNCTYPE(None, c_int, c_void_p, c_size_t, c_void_p, c_size_t, c_void_p, c_size_t, c_int)
_NUM_PRODUCTS = 4096


def adds_in_half() -> bool:
    """Whether a sum that float16 can't hold, 4096.5, gets lost (with AVX512-FP16 it does)."""
    ggml.cpu_init()
    dot = _VecDot(ggml.type_traits(GGMLType.F16).contents.vec_dot)
    x = np.ones(_NUM_PRODUCTS, np.float16)
    y = x.copy()
    y[-1] = 1.5
    total = c_float()
    dot(_NUM_PRODUCTS, addressof(total), 0, x.ctypes.data, 0, y.ctypes.data, 0, 1)
    return total.value != _NUM_PRODUCTS + 0.5
