"""Instruction sets and the bandwidth of memory."""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from motet.runtime.native import kernels
from motet.runtime.native.extension import library
from motet.runtime.native.kernels import structures


def test_plain_c_is_always_the_last_resort() -> None:
    assert kernels.all_levels()[-1] == kernels.levels()[-1].name == "portable"
    assert not kernels.levels()[-1].is_fast
    assert kernels.best_level() == kernels.levels()[0]
    assert {level.name for level in kernels.levels()} <= set(kernels.all_levels())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names of x86")
def test_what_the_processor_has_is_found() -> None:
    with open("/proc/cpuinfo") as cpuinfo:  # noqa: PTH123  not a file of ours
        flags = next(line for line in cpuinfo if line.startswith("flags")).split()
    names = {level.name for level in kernels.levels()}
    assert ("avx2" in names) == ({"avx2", "fma", "f16c"} <= set(flags))
    assert ("avx512" in names) == ("avx512_vnni" in flags)
    assert ("avx512vbmi" in names) == ({"avx512_vnni", "avx512vbmi"} <= set(flags))
    assert ("avxvnni" in names) == ("avx_vnni" in flags)


def test_no_level_beyond_the_last() -> None:
    assert library().motet_level_name(len(kernels.all_levels())) is None
    assert library().motet_level(-1) is None


def test_structures_are_as_long_as_in_c() -> None:
    lengths = (ctypes.c_int64 * 6)()
    library().motet_structure_bytes(lengths)
    mirrors = (
        structures.Weights, structures.Quantise, structures.Product, structures.ExpertsUp,
        structures.ExpertsDown,
    )  # fmt: skip
    assert list(lengths) == [structures.BLOCK_BYTES, *map(ctypes.sizeof, mirrors)]


@pytest.mark.parametrize("level", kernels.levels(), ids=lambda level: level.name)
def test_all_of_the_memory_is_read(level: kernels.Level) -> None:
    memory = np.zeros(1024, np.int32)
    for place in (0, 1, 517, 1023):
        memory[place] = 9
        assert library().motet_read_memory(level.address, memory.ctypes.data, memory.nbytes) == 9
        memory[place] = 0
    assert library().motet_read_memory(level.address, memory.ctypes.data, memory.nbytes) == 0


def test_bandwidth_is_a_plausible_number() -> None:
    assert 1e8 < kernels.read_bandwidth(2, num_bytes=1 << 22, repeats=2) < 1e13
