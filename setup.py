"""Compiles the kernels of the native runtime; everything else is in pyproject.toml.

All C files of the kernels folder become one module of the stable ABI, so that one build serves
every Python. No machine is named: kernels choose their instruction set when they run.
"""

import os
from pathlib import Path

from setuptools import Extension, setup

KERNELS = Path("src/motet/runtime/native/kernels")
UNIX_FLAGS = [
    "-std=gnu11", "-O3", "-g0", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra",
]  # fmt: skip

setup(
    ext_modules=[
        Extension(
            "motet.runtime.native._kernels",
            sources=sorted(str(path) for path in KERNELS.glob("*.c")),
            depends=sorted(str(path) for path in KERNELS.glob("*.h")),
            include_dirs=[str(KERNELS)],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            extra_compile_args=["/O2"] if os.name == "nt" else UNIX_FLAGS,
            libraries=[] if os.name == "nt" else ["m"],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
