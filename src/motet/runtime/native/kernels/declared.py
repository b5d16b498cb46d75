"""The functions of the extension that Python itself calls, with their types declared."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from ctypes import c_char_p, c_int, c_int32, c_int64, c_void_p
from functools import cache

from motet.errors import SettingError
from motet.runtime.native import extension
from motet.runtime.native.kernels.structures import (
    BLOCK_BYTES,
    ExpertsDown,
    ExpertsUp,
    Product,
    Quantise,
    Weights,
)


@cache
def library() -> ctypes.CDLL:
    """The extension's shared object; SettingError if it is missing or of another version."""
    found = extension.library()
    check(found)
    declare(found)
    return found


def check(found: ctypes.CDLL) -> None:
    """Raise SettingError if the extension was compiled from other structures than Python's."""
    mirrors = (Weights, Quantise, Product, ExpertsUp, ExpertsDown)
    wanted = [BLOCK_BYTES, *map(ctypes.sizeof, mirrors)]
    lengths = (c_int64 * len(wanted))()
    with suppress(AttributeError):  # older than the function
        found.motet_structure_bytes(lengths)
    if list(lengths) != wanted:
        raise SettingError(
            "compiled kernels", expected="those of this version",
            got=f"structures of {list(lengths)} bytes", fix="build them again",
        )  # fmt: skip


def declare(found: ctypes.CDLL) -> None:
    """Tell ctypes what the functions take and return."""
    found.motet_level_name.argtypes = (c_int,)
    found.motet_level_name.restype = c_char_p
    found.motet_level.argtypes = (c_int,)
    found.motet_level.restype = c_void_p
    move = (c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64)
    for function in (found.motet_interleave, found.motet_deinterleave):
        function.argtypes = move
        function.restype = None
    found.motet_read_memory.argtypes = (c_void_p, c_void_p, c_int64)
    found.motet_read_memory.restype = c_int32
