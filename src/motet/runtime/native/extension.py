"""The extension module's file, and the kernels in it by name.

The module `_kernels` has no Python functions. It is compiled with the package so that its file can
be found as a module's, and its kernels are reached through ctypes.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec

from motet.errors import SettingError

MODULE = "motet.runtime.native._kernels"


@cache
def library() -> ctypes.CDLL:
    """The shared object with the kernels; SettingError if the package was installed without it."""
    spec = find_spec(MODULE)
    if spec is None or spec.origin is None:
        raise SettingError(
            "native runtime", expected="its compiled kernels", got="none",
            fix="install motet with a C compiler at hand",
        )  # fmt: skip
    return ctypes.CDLL(spec.origin)


def address(name: str) -> int:
    """Address of the kernel called `name`, to hand to ggml as a custom operation."""
    return ctypes.cast(library()[name], ctypes.c_void_p).value or 0
