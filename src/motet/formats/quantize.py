"""Rows of float32 numbers as blocks of a ggml type, by ggml's own quantisation.

ggml-python is asked for it, so that what is written is what ggml and llama.cpp would write. Rows
are independent: they are shared among threads, and the result does not depend on how many.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any

import ggml
import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType


class Quant(StrEnum):
    """What the matrices of a model can be written as."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"
    Q8_0 = "q8_0"
    Q6_K = "q6_k"
    Q5_K = "q5_k"
    Q4_K = "q4_k"
    Q4_0 = "q4_0"
    IQ4_XS = "iq4_xs"

    @property
    def type(self) -> GGMLType:
        """The ggml type of this name."""
        return GGMLType[self.name]


def quantized(
    chunks: Iterable[NDArray[np.float32]], kind: GGMLType, name: str
) -> Iterator[NDArray[Any]]:
    """Blocks of `kind`, a uint8 array for each chunk [n, width] of rows.

    Raises CheckpointError if a number is not finite, or not any more as float16. `name` is the
    tensor's, for errors.
    """
    num_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    with ThreadPoolExecutor(num_threads) as threads:
        for chunk in chunks:
            if not np.isfinite(chunk).all():
                raise CheckpointError(f"{name}: weights", expected="finite numbers", got="others")
            if kind is GGMLType.F32:
                yield chunk.view(np.uint8)
            elif kind is GGMLType.F16:
                yield float16(chunk, name).view(np.uint8)
            else:
                yield _blocks(chunk, kind, threads, num_threads)


def float16(chunk: NDArray[np.float32], name: str) -> NDArray[np.float16]:
    """The same numbers as float16; CheckpointError if one is too large. `name`: for errors."""
    with np.errstate(over="ignore"):
        halves = chunk.astype(np.float16)
    if not np.isfinite(halves).all():
        raise CheckpointError(
            f"{name}: weights", expected="numbers up to 65504 for f16",
            got=f"{np.abs(chunk).max():.4g}", fix="convert to bf16 or f32",
        )  # fmt: skip
    return halves


def _blocks(
    chunk: NDArray[np.float32], kind: GGMLType, threads: ThreadPoolExecutor, num_parts: int
) -> NDArray[np.uint8]:
    num_rows, width = chunk.shape
    row_bytes = kind.num_bytes((width,))
    blocks = np.empty((num_rows, row_bytes), np.uint8)
    source = chunk.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    target = ctypes.c_void_p(blocks.ctypes.data)

    def quantize(first: int, last: int) -> None:
        if first < last:
            ggml.ggml_quantize_chunk(kind, source, target, first * width, last - first, width, None)

    bounds = [num_rows * i // num_parts for i in range(num_parts + 1)]
    list(threads.map(quantize, bounds[:-1], bounds[1:]))
    return blocks
