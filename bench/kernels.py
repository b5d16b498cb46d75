"""How fast the kernels go, against the bandwidth of memory measured in the same run.

Shapes are those of LFM2.5-8B-A1B with random bytes as weights. Each figure is the median (and the
best) over repeats of all threads working through enough copies of the weights that no cache holds
them. Weights that are read once a call can go no faster than memory; with many cells the limit is
arithmetic. Prints a table, and one JSON line at the end.

    python bench/kernels.py --threads 2 --seconds 0.5
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Barrier, Thread

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import kernels
from motet.runtime.native.extension import library
from motet.runtime.native.kernels.bandwidth import own_core

D, F, E, A, V, DENSE = 2048, 1792, 32, 4, 128_000, 7168
KINDS = {
    kind.name.lower(): kind
    for kind in (GGMLType.Q4_0, GGMLType.Q8_0, GGMLType.Q4_K, GGMLType.Q5_K, GGMLType.Q6_K)
}
COPIES_BYTES = 256 << 20  # of weights that are worked through before any is used again
MATRICES = {"in_proj": (3 * D, D), "out": (D, D), "head": (V, D)}
Bytes = NDArray[np.uint8]
Operation = tuple[str, ctypes.Structure]


@dataclass(frozen=True)
class Work:
    """Operations to run one after the other, the weights' bytes they touch, and multiply-adds."""

    operations: list[Operation]
    num_bytes: int
    num_macs: int
    keep: object


def random_tiles(kind: GGMLType, shape: tuple[int, ...]) -> Bytes:
    """Random tiles; their half-precision scales are such that sums stay small."""
    rng = np.random.default_rng(0)
    tile_bytes = kind.num_bytes((16, kind.block_size))
    scale_bytes = 64 if kind in (GGMLType.Q4_K, GGMLType.Q5_K) else 32
    some = rng.integers(0, 256, (1024, tile_bytes), dtype=np.uint8)
    some[:, :scale_bytes] = np.full(scale_bytes // 2, 1e-4, np.float16).view(np.uint8)
    return np.resize(some.reshape(-1), kind.num_bytes(shape))


def activations(num_cells: int, depth: int, level: int) -> Bytes:
    """Rounded activations of random cells."""
    x = np.random.default_rng(1).standard_normal((num_cells, depth)).astype(np.float32)
    blocks = np.empty(kernels.block_bytes(num_cells, depth), np.uint8)
    call = kernels.Quantise(
        level=level, x=x.ctypes.data, blocks=blocks.ctypes.data, x_stride=depth,
        num_cells=num_cells, depth=depth,
    )  # fmt: skip
    library().motet_quantise(None, 0, 1, ctypes.byref(call))
    return blocks


def matrix_work(kind: GGMLType, shape: tuple[int, int], T: int, level: int) -> Work:
    """Products of T cells with several matrices of one shape."""
    copies = max(1, COPIES_BYTES // kind.num_bytes(shape))
    tiles = random_tiles(kind, (copies * shape[0], shape[1]))
    blocks, out = activations(T, shape[1], level), np.empty((T, shape[0]), np.float32)
    size = kind.num_bytes(shape)
    operations: list[Operation] = [
        ("motet_product", kernels.Product(
            level=level, weights=kernels.weights_of(kind, shape, tiles.ctypes.data + i * size),
            activations=blocks.ctypes.data, out=out.ctypes.data, out_stride=shape[0], num_cells=T,
        ))
        for i in range(copies)
    ]  # fmt: skip
    macs = copies * T * shape[0] * shape[1]
    return Work(operations, copies * size, macs, (tiles, blocks, out))


def experts_work(
    kind: GGMLType, sizes: tuple[int, int], active: int, T: int, level: int, layers: int
) -> Work:
    """Feed-forwards of T cells, each choosing `active` of E experts at random; dense if E = 1."""
    num, width = sizes
    up, down = ((num, width, D), (num, D, width)) if num > 1 else ((width, D), (D, width))
    blocks = activations(T, D, level)
    hidden = activations(T * active, width, level)
    out = np.empty((T, D), np.float32)
    operations: list[Operation] = []
    keep: list[object] = [blocks, hidden, out]
    num_bytes = 0
    for layer in range(layers):
        tiles = [random_tiles(kind, shape) for shape in (up, up, down)]
        rng = np.random.default_rng(layer)
        chosen = np.stack([rng.permutation(num)[:active] for _ in range(T)]).astype(np.int32)
        shares = np.full((T, active), 1 / active, np.float32)
        gate_w, up_w = (kernels.weights_of(kind, up, t.ctypes.data) for t in tiles[:2])
        down_w = kernels.weights_of(kind, down, tiles[2].ctypes.data)
        common = {
            "level": level, "hidden": hidden.ctypes.data, "experts_stride": active,
            "experts": chosen.ctypes.data, "num_cells": T, "num_active": active,
        }  # fmt: skip
        operations += [
            ("motet_experts_up", kernels.ExpertsUp(
                gate=gate_w, up=up_w, activations=blocks.ctypes.data, **common)),
            ("motet_experts_down", kernels.ExpertsDown(
                down=down_w, shares=shares.ctypes.data, shares_stride=active,
                out=out.ctypes.data, out_stride=D, **common)),
        ]  # fmt: skip
        keep += [tiles, chosen, shares]
        num_bytes += len(np.unique(chosen)) * 3 * kind.num_bytes((width, D))
    macs = layers * T * active * 3 * width * D
    return Work(operations, num_bytes, macs, keep)


def seconds(work: Work, num_threads: int, at_least_s: float) -> tuple[float, float]:
    """Seconds of going through all operations once, all threads together: median and least."""
    functions = [(library()[name], ctypes.byref(s)) for name, s in work.operations]
    repeats = 2
    while True:
        spans = np.zeros((num_threads, repeats, 2))
        ready = Barrier(num_threads)

        def run(ith: int, spans: NDArray[np.float64] = spans, ready: Barrier = ready) -> None:
            own_core(ith)
            for repeat in range(spans.shape[1]):
                ready.wait()
                spans[ith, repeat, 0] = time.perf_counter()
                for function, structure in functions:
                    function(None, ith, num_threads, structure)
                spans[ith, repeat, 1] = time.perf_counter()

        threads = [Thread(target=run, args=(ith,)) for ith in range(num_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lasted = spans[:, 1:, 1].max(axis=0) - spans[:, 1:, 0].min(axis=0)  # the first warms up
        if lasted.sum() >= at_least_s or repeats > 200:
            return statistics.median(lasted.tolist()), float(lasted.min())
        repeats = int(repeats * min(8, at_least_s / max(lasted.sum(), 1e-9) + 1)) + 1


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each figure")
    parser.add_argument("--cells", type=int, nargs="+", default=[1, 4, 16, 256])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["q4_0", "q8_0"])
    parser.add_argument("--level", choices=[level.name for level in kernels.levels()])
    parser.add_argument("--only", nargs="+", help="names of shapes")
    options = parser.parse_args()
    names = {level.name: level for level in kernels.levels()}
    level = names[options.level] if options.level else kernels.best_level()
    bandwidth = kernels.read_bandwidth(options.threads)
    print(f"{level.name}, {options.threads} threads, memory {bandwidth / 1e9:.1f} GB/s")
    figures = []
    for kind_name in options.kinds:
        kind = KINDS[kind_name]
        builders: dict[str, Callable[[int], Work]] = {
            name: lambda T, shape=shape, kind=kind: matrix_work(kind, shape, T, level.address)
            for name, shape in MATRICES.items()
        }
        builders["experts"] = lambda T, kind=kind: experts_work(
            kind, (E, F), A, T, level.address, 4
        )
        builders["dense"] = lambda T, kind=kind: experts_work(
            kind, (1, DENSE), 1, T, level.address, 8
        )
        for name, build in builders.items():
            if options.only and name not in options.only:
                continue
            for T in options.cells:
                work = build(T)
                lasted, least = seconds(work, options.threads, options.seconds)
                figure = {
                    "weights": kind_name, "shape": name, "cells": T,
                    "gb_per_s": round(work.num_bytes / lasted / 1e9, 2),
                    "of_bandwidth": round(work.num_bytes / lasted / bandwidth, 3),
                    "gmac_per_s": round(work.num_macs / lasted / 1e9, 1),
                    "best_of_bandwidth": round(work.num_bytes / least / bandwidth, 3),
                    "best_gmac_per_s": round(work.num_macs / least / 1e9, 1),
                }  # fmt: skip
                figures.append(figure)
                print(
                    f"{kind_name} {name:8} {T:4} cells: {figure['gb_per_s']:6.2f} GB/s "
                    f"({figure['of_bandwidth']:.2f} of memory) {figure['gmac_per_s']:7.1f} GMAC/s; "
                    f"best {figure['best_of_bandwidth']:.2f}, {figure['best_gmac_per_s']:.1f}",
                    flush=True,
                )
    print(json.dumps({
        "benchmark": "kernels", "processor": platform.processor() or platform.machine(),
        "level": level.name, "threads": options.threads,
        "memory_gb_per_s": round(bandwidth / 1e9, 2), "figures": figures,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
