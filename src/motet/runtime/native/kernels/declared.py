"""The functions of the extension that Python itself calls, with their types declared."""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_int32, c_int64, c_void_p
from functools import cache

from motet.runtime.native import extension


@cache
def library() -> ctypes.CDLL:
    """The extension's shared object; SettingError if the package was installed without it."""
    found = extension.library()
    declare(found)
    return found


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
