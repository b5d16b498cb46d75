"""The models of the native tests, on a device."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from motet.runtime.device import DeviceRuntime, device_named
from motet.runtime.native import KVType, Model
from motet.streams import ConvMode
from tests.native.models import read_case
from tests.tiny import Architecture, Case

DEVICE = device_named(os.environ.get("MOTET_TEST_DEVICE", "CPU"))
CASES = [
    Case(Architecture.LFM2_MOE, 4),
    Case(Architecture.LFM2, 4, ConvMode.ROW_BOUNDARY),
    Case(Architecture.LFM2, 1),
    Case(Architecture.QWEN3, 4),
    Case(Architecture.QWEN3, 1),
]


def opened(model: Model, **options: Any) -> DeviceRuntime:
    """A runtime with its cache in float32, so that no rounding hides anything."""
    threads = 1 if DEVICE.is_cpu else None
    return DeviceRuntime(
        model, DEVICE, **{"kv_type": KVType.F32, "num_threads": threads, **options}
    )


def on_device(case: Case, **options: Any) -> DeviceRuntime:
    """A fresh runtime of a case."""
    return opened(read_case(case), **options)


@cache
def tiny_on_device(case: Case) -> DeviceRuntime:
    """The runtime of a case, made once; nobody may change it."""
    return on_device(case)
