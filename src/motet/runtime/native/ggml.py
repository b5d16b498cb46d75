"""The part of ggml's C interface that the runtime uses, on the libraries of ggml-python.

ggml-python declares some results as 32-bit integers and makes an object for every pointer; here
each function is declared once, pointers are plain integers, and a call costs about a microsecond.
The libraries are those in the package's own folder, so a process has one ggml whoever loads it.
Source: ggml.h, ggml-alloc.h and ggml-cpu.h of https://github.com/ggml-org/ggml.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_float, c_int, c_int32, c_int64, c_size_t, c_uint8, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MAX_DIMS, MAX_SRC, MAX_OP_PARAMS, MAX_NAME = 4, 10, 64, 64
N_TASKS_MAX = -1
ROPE_NORMAL, ROPE_NEOX = 0, 2


class Tensor(ctypes.Structure):
    """`struct ggml_tensor`. ne: elements per dimension, fastest first; nb: strides in bytes."""

    _fields_ = (
        ("type", c_int),
        ("buffer", c_void_p),
        ("ne", c_int64 * MAX_DIMS),
        ("nb", c_size_t * MAX_DIMS),
        ("op", c_int),
        ("op_params", c_int32 * (MAX_OP_PARAMS // 4)),
        ("flags", c_int32),
        ("src", c_void_p * MAX_SRC),
        ("view_src", c_void_p),
        ("view_offs", c_size_t),
        ("data", c_void_p),
        ("name", ctypes.c_char * MAX_NAME),
        ("extra", c_void_p),
        ("padding", ctypes.c_char * 8),
    )


class InitParams(ctypes.Structure):
    """`struct ggml_init_params`."""

    _fields_ = (("mem_size", c_size_t), ("mem_buffer", c_void_p), ("no_alloc", c_bool))


class Plan(ctypes.Structure):
    """`struct ggml_cplan`."""

    _fields_ = (
        ("work_size", c_size_t),
        ("work_data", ctypes.POINTER(c_uint8)),
        ("n_threads", c_int),
        ("threadpool", c_void_p),
        ("abort_callback", c_void_p),
        ("abort_callback_data", c_void_p),
        ("use_ref", c_bool),
    )


class TypeTraits(ctypes.Structure):
    """`struct ggml_type_traits_cpu`: null where the processor's part of ggml lacks something."""

    _fields_ = (
        ("from_float", c_void_p),
        ("vec_dot", c_void_p),
        ("vec_dot_type", c_int),
        ("nrows", c_int64),
    )


def folder() -> Path:
    """Where the libraries of ggml-python are."""
    spec = find_spec("ggml")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("no ggml-python", name="ggml")
    return Path(spec.origin).parent / "lib"


def library(name: str) -> ctypes.CDLL:
    """The library called `name`, loaded."""
    for file in (f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll"):
        if (folder() / file).exists():
            return ctypes.CDLL(str(folder() / file), mode=ctypes.RTLD_GLOBAL)
    raise ModuleNotFoundError(f"no {name} in {folder()}", name="ggml")


_LIBRARIES = [library("ggml-base"), library("ggml-cpu")]


def function(name: str, result: Any, *arguments: Any, also: ctypes.CDLL | None = None) -> Any:
    """The function called `name` of the libraries that everybody needs, or of `also`."""
    libraries = _LIBRARIES if also is None else [*_LIBRARIES, also]
    library = next((lib for lib in libraries if hasattr(lib, name)), None)
    if library is None:
        raise ModuleNotFoundError(f"ggml without {name}", name="ggml")
    found = library[name]
    found.restype, found.argtypes = result, arguments
    return found


_P = c_void_p  # any pointer

init = function("ggml_init", _P, InitParams)
free = function("ggml_free", None, _P)
tensor_overhead = function("ggml_tensor_overhead", c_size_t)
type_traits = function("ggml_get_type_traits_cpu", ctypes.POINTER(TypeTraits), c_int)
cpu_init = function("ggml_cpu_init", None)

new_tensor = function("ggml_new_tensor", _P, _P, c_int, c_int, ctypes.POINTER(c_int64))
reshape_2d = function("ggml_reshape_2d", _P, _P, _P, c_int64, c_int64)
reshape_3d = function("ggml_reshape_3d", _P, _P, _P, c_int64, c_int64, c_int64)
view_2d = function("ggml_view_2d", _P, _P, _P, c_int64, c_int64, c_size_t, c_size_t)
get_rows = function("ggml_get_rows", _P, _P, _P, _P)
add = function("ggml_add", _P, _P, _P, _P)
mul = function("ggml_mul", _P, _P, _P, _P)
div = function("ggml_div", _P, _P, _P, _P)
scale_bias = function("ggml_scale_bias", _P, _P, _P, c_float, c_float)
sigmoid = function("ggml_sigmoid", _P, _P, _P)
swiglu_split = function("ggml_swiglu_split", _P, _P, _P, _P)
sum_rows = function("ggml_sum_rows", _P, _P, _P)
rms_norm = function("ggml_rms_norm", _P, _P, _P, c_float)
argsort_top_k = function("ggml_argsort_top_k", _P, _P, _P, c_int)
mul_mat = function("ggml_mul_mat", _P, _P, _P, _P)
mul_mat_id = function("ggml_mul_mat_id", _P, _P, _P, _P, _P)
rope_ext = function(
    "ggml_rope_ext", _P, _P, _P, _P, _P, c_int, c_int, c_int,
    c_float, c_float, c_float, c_float, c_float, c_float,
)  # fmt: skip
custom_4d = function(
    "ggml_custom_4d", _P, _P, c_int, c_int64, c_int64, c_int64, c_int64,
    ctypes.POINTER(_P), c_int, _P, c_int, _P,
)  # fmt: skip

graph_overhead = function("ggml_graph_overhead_custom", c_size_t, c_size_t, c_bool)
new_graph = function("ggml_new_graph_custom", _P, _P, c_size_t, c_bool)
build_forward_expand = function("ggml_build_forward_expand", None, _P, _P)
graph_plan = function("ggml_graph_plan", Plan, _P, c_int, _P)
graph_compute = function("ggml_graph_compute", c_int, _P, ctypes.POINTER(Plan))
set_output = function("ggml_set_output", None, _P)

cpu_buffer_type = function("ggml_backend_cpu_buffer_type", _P)
allocator_new = function("ggml_gallocr_new", _P, _P)
allocator_free = function("ggml_gallocr_free", None, _P)
allocate_graph = function("ggml_gallocr_alloc_graph", c_bool, _P, _P)
allocator_size = function("ggml_gallocr_get_buffer_size", c_size_t, _P, c_int)

cpu_init()
