"""Calls of the kernels as a graph makes them: the same structure from several threads."""

from __future__ import annotations

import ctypes
from threading import Barrier, Thread

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import kernels
from motet.runtime.native.extension import library
from tests.native_kernels.reference import Bytes, Floats


def run(name: str, structure: ctypes.Structure, num_threads: int = 1) -> None:
    """One call of the operation `name` by `num_threads` threads that start together."""
    function, ready = library()[name], Barrier(num_threads)

    def work(ith: int) -> None:
        ready.wait()
        function(None, ith, num_threads, ctypes.byref(structure))

    threads = [Thread(target=work, args=(ith,)) for ith in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if hasattr(structure, "progress"):
        assert (structure.progress.next, structure.progress.num_done) == (0, 0)


def strided(x: Floats, stride: int) -> Floats:
    """A copy of x [T, K] whose rows are `stride` floats apart, NaN between them."""
    memory = np.full((x.shape[0], stride), np.nan, np.float32)
    memory[:, : x.shape[1]] = x
    return memory[:, : x.shape[1]]


def blocks_of(
    x_TK: Floats, level: kernels.Level, num_threads: int = 1, stride: int | None = None,
    span: int = 1,
) -> Bytes:  # fmt: skip
    """The rounded activations of x, `span` blocks to a scale."""
    T, K = x_TK.shape
    x = strided(x_TK, stride or K)
    blocks = np.full(kernels.block_bytes(T, K), 0xAA, np.uint8)
    run(
        "motet_quantise",
        kernels.Quantise(
            level=level.address, x=x.ctypes.data, blocks=blocks.ctypes.data,
            x_stride=stride or K, num_cells=T, depth=K, span=span,
        ),
        num_threads,
    )  # fmt: skip
    return blocks


def taken_of(kind: GGMLType, x_TK: Floats, level: kernels.Level) -> Bytes:
    """The activations that weights of a kind take."""
    if kernels.takes_floats(kind):
        return np.ascontiguousarray(x_TK).view(np.uint8)
    return blocks_of(x_TK, level, span=kernels.span_of(kind))


def product(
    kind: GGMLType, tiles: Bytes, num_rows: int, x_TK: Floats, level: kernels.Level,
    num_threads: int = 1, residual: Floats | None = None, out_stride: int | None = None,
) -> Floats:  # fmt: skip
    """residual + x times weights [N, K] in tiles; [T, N]."""
    T, K = x_TK.shape
    taken = taken_of(kind, x_TK, level)
    out = strided(np.full((T, num_rows), 7, np.float32), out_stride or num_rows)
    run(
        "motet_product",
        kernels.Product(
            level=level.address,
            weights=kernels.weights_of(kind, (num_rows, K), tiles.ctypes.data),
            activations=taken.ctypes.data, out=out.ctypes.data, out_stride=out_stride or num_rows,
            residual=None if residual is None else residual.ctypes.data,
            residual_stride=num_rows, num_cells=T,
        ),
        num_threads,
    )  # fmt: skip
    return out


def feed_forward(
    kind: GGMLType, sizes: tuple[int, int, int], tiles: tuple[Bytes, Bytes, Bytes], x_TD: Floats,
    chosen_TA: NDArray[np.int32] | None, shares_TA: Floats | None, level: kernels.Level,
    num_threads: int = 1, residual: Floats | None = None,
) -> Floats:  # fmt: skip
    """The feed-forward over experts, [T, D]; sizes are (E, F, D); dense if nothing is chosen."""
    (E, F, D), T = sizes, x_TD.shape[0]
    A = 1 if chosen_TA is None else chosen_TA.shape[1]
    up_shape, down_shape = ((E, F, D), (E, D, F)) if E > 1 else ((F, D), (D, F))
    gate, up = (kernels.weights_of(kind, up_shape, t.ctypes.data) for t in tiles[:2])
    taken = taken_of(kind, x_TD, level)
    hidden = np.zeros(kernels.activation_bytes(kind, T * A, F), np.uint8)
    out = np.full((T, D), 7, np.float32)
    chosen = None if chosen_TA is None else chosen_TA.ctypes.data
    stride = 0 if chosen_TA is None else chosen_TA.strides[0] // 4
    run(
        "motet_experts_up",
        kernels.ExpertsUp(
            level=level.address, gate=gate, up=up, activations=taken.ctypes.data, experts=chosen,
            hidden=hidden.ctypes.data, experts_stride=stride, num_cells=T, num_active=A,
            span=kernels.span_of(kind),
        ),
        num_threads,
    )  # fmt: skip
    run(
        "motet_experts_down",
        kernels.ExpertsDown(
            level=level.address, down=kernels.weights_of(kind, down_shape, tiles[2].ctypes.data),
            hidden=hidden.ctypes.data, experts=chosen, experts_stride=stride,
            shares=None if shares_TA is None else shares_TA.ctypes.data,
            shares_stride=0 if shares_TA is None else shares_TA.strides[0] // 4,
            residual=None if residual is None else residual.ctypes.data, residual_stride=D,
            out=out.ctypes.data, out_stride=D, num_cells=T, num_active=A,
        ),
        num_threads,
    )  # fmt: skip
    return out


def same_bits(x: Floats, y: Floats) -> bool:
    """Whether two arrays are equal bit by bit."""
    return bool((x.view(np.uint32) == y.view(np.uint32)).all())
