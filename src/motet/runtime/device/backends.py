"""The part of ggml's C interface that finds devices and computes on them.

Source: ggml-backend.h of https://github.com/ggml-org/ggml. Backends are compiled into the library
or lie beside it as modules, which are loaded if there are no devices without them.
"""

from __future__ import annotations

import ctypes
import sys
from ctypes import c_bool, c_char_p, c_float, c_int, c_int64, c_size_t, c_uint8, c_void_p
from typing import Any

from motet.runtime.native import ggml

CPU, GPU, INTEGRATED_GPU, ACCELERATOR = range(4)
PRECISION_F32 = 10
_ERROR = 4

_P = c_void_p
_registry = ggml.library("ggml")


def _function(name: str, result: Any, *arguments: Any) -> Any:
    return ggml.function(name, result, *arguments, also=_registry)


class TypeTraits(ctypes.Structure):
    """`struct ggml_type_traits`. to_float: null for float32 itself."""

    _fields_ = (
        ("name", c_char_p),
        ("block_size", c_int64),
        ("block_size_interleave", c_int64),
        ("type_size", c_size_t),
        ("is_quantised", c_bool),
        ("to_float", c_void_p),
        ("from_float", c_void_p),
    )


ToFloat = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_int64)
_Log = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)

dev_count = _function("ggml_backend_dev_count", c_size_t)
dev_get = _function("ggml_backend_dev_get", _P, c_size_t)
dev_name = _function("ggml_backend_dev_name", c_char_p, _P)
dev_description = _function("ggml_backend_dev_description", c_char_p, _P)
dev_type = _function("ggml_backend_dev_type", c_int, _P)
dev_memory = _function(
    "ggml_backend_dev_memory", None, _P, ctypes.POINTER(c_size_t), ctypes.POINTER(c_size_t)
)
dev_init = _function("ggml_backend_dev_init", _P, _P, c_char_p)
dev_buffer_type = _function("ggml_backend_dev_buffer_type", _P, _P)
dev_supports_op = _function("ggml_backend_dev_supports_op", c_bool, _P, _P)
backend_free = _function("ggml_backend_free", None, _P)
set_cpu_threads = _function("ggml_backend_cpu_set_n_threads", None, _P, c_int)
graph_compute = _function("ggml_backend_graph_compute", c_int, _P, _P)

allocate_tensors = _function("ggml_backend_alloc_ctx_tensors_from_buft", _P, _P, _P)
buffer_clear = _function("ggml_backend_buffer_clear", None, _P, c_uint8)
buffer_free = _function("ggml_backend_buffer_free", None, _P)
tensor_set = _function("ggml_backend_tensor_set", None, _P, _P, c_size_t, c_size_t)
tensor_get = _function("ggml_backend_tensor_get", None, _P, _P, c_size_t, c_size_t)
set_input = _function("ggml_set_input", None, _P)

graph_num_nodes = _function("ggml_graph_n_nodes", c_int, _P)
graph_node = _function("ggml_graph_node", _P, _P, c_int)
op_description = _function("ggml_op_desc", c_char_p, _P)
type_traits = _function("ggml_get_type_traits", ctypes.POINTER(TypeTraits), c_int)

set_rows = _function("ggml_set_rows", _P, _P, _P, _P, _P)
view_3d = _function(
    "ggml_view_3d", _P, _P, _P, c_int64, c_int64, c_int64, c_size_t, c_size_t, c_size_t
)
permute = _function("ggml_permute", _P, _P, _P, c_int, c_int, c_int, c_int)
cont = _function("ggml_cont", _P, _P, _P)
cont_2d = _function("ggml_cont_2d", _P, _P, _P, c_int64, c_int64)
concat = _function("ggml_concat", _P, _P, _P, _P, c_int)
soft_max_ext = _function("ggml_soft_max_ext", _P, _P, _P, _P, c_float, c_float)
set_precision = _function("ggml_mul_mat_set_prec", None, _P, c_int)


def _tell_errors(level: int, text: bytes, _: object) -> None:
    if level == _ERROR:
        sys.stderr.write(text.decode("utf-8", "replace"))


_log = _Log(_tell_errors)
_function("ggml_log_set", None, _P, _P)(ctypes.cast(_log, _P), None)
if not dev_count():
    load_modules = _function("ggml_backend_load_all_from_path", None, c_char_p)
    load_modules(str(ggml.folder()).encode())
