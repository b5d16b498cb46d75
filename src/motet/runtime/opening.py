"""The one place that knows which runtimes exist.

native   directories below 1 GB and GGUF files, on the processor; no PyTorch in the process
device   the same on a device of ggml, such as a GPU: the native runtime with a device's name
torch    directories, through transformers; for training, for GPUs, and to check native against
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

from motet.errors import SettingError
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import GGUFModel
from motet.formats.hyperparameters import Hyperparameters
from motet.runtime.directory import ModelSource
from motet.runtime.protocol import Runtime
from motet.streams.layout import ConvMode


class RuntimeName(StrEnum):
    """A runtime that can be asked for by name; `auto` is native where it is installed."""

    AUTO = "auto"
    NATIVE = "native"
    TORCH = "torch"


class Dtype(StrEnum):
    """Precision that the weights of a directory are held and computed in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


class CacheType(StrEnum):
    """Precision of the native runtime's KV cache."""

    F32 = "f32"
    F16 = "f16"
    Q8_0 = "q8_0"


_TYPES = {
    Dtype.FLOAT32: GGMLType.F32,
    Dtype.BFLOAT16: GGMLType.BF16,
    Dtype.FLOAT16: GGMLType.F16,
}


def open_runtime(
    source: ModelSource,
    name: RuntimeName = RuntimeName.AUTO,
    *,
    dtype: Dtype | None = None,
    conv_mode: ConvMode | None = None,
    cache: CacheType | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Runtime[Any]:
    """The model of `source` in the runtime called `name`.

    dtype: of a directory (default: float32); a file's weights are as they are. conv_mode: in place
    of what the layout says. cache (default: f16) and threads (default: all cores that the process
    may use) are the native runtime's, and so is device: one of `device_lines`, in place of our own
    kernels on the processor. Raises SettingError if the runtime is not installed or has no such
    setting, CheckpointError if the model is unfit.
    """
    if name is RuntimeName.TORCH or (name is RuntimeName.AUTO and not native_is_installed()):
        native_only: dict[str, object] = {"cache": cache, "threads": threads, "device": device}
        return _open_torch(source, dtype, conv_mode, native_only)
    return _open_native(source, dtype, conv_mode, cache or CacheType.F16, threads, device)


def spare_a_core(runtime: Runtime[Any]) -> None:
    """Leave a core to a server in this process; the native runtime does for small models."""
    spare = getattr(runtime, "spare_a_core", None)
    if spare is not None:
        spare()


def session_bytes(
    numbers: Hyperparameters, num_channels: int, num_rows: int, cache: CacheType
) -> int:
    """Bytes that a session with room for `num_rows` rows takes in the native runtime."""
    from motet.runtime.native import KVType
    from motet.runtime.native.state import StateShape

    return StateShape.of(numbers, num_channels, KVType[cache.name]).num_bytes(num_rows)


def ways_of(source: ModelSource, numbers: Hyperparameters, dtype: Dtype | None) -> dict[str, str]:
    """Which way products with weights take in the native runtime: by type, how many and why."""
    from motet.runtime.native.paths import Kernels, choose
    from motet.runtime.native.weights import kinds_of

    kinds = kinds_of(source, _TYPES[dtype or Dtype.FLOAT32])
    ways: dict[str, Counter[str]] = {}
    for path in choose(numbers, kinds, Kernels.OWN).values():
        way = f"{path.type.name} by {'own kernels' if path.is_own else 'ggml'}"
        ways.setdefault(way, Counter())[path.reason] += 1
    return {
        way: "; ".join(f"{count} ({reason})" for reason, count in reasons.items())
        for way, reasons in ways.items()
    }


def device_lines() -> dict[str, str]:
    """The devices that the installed ggml has: by name, what each is, and which one is used."""
    from motet.runtime.device import devices

    used = "; by our own kernels unless --device names a device"
    return {device.name: f"{device}{used if device.is_cpu else ''}" for device in devices()}


def native_is_installed() -> bool:
    """Whether the compiled kernels and ggml-python are there."""
    return None not in (find_spec("ggml"), find_spec("motet.runtime.native._kernels"))


def _open_native(
    source: ModelSource,
    dtype: Dtype | None,
    conv_mode: ConvMode | None,
    cache: CacheType,
    threads: int | None,
    device: str | None,
) -> Runtime[Any]:
    if not native_is_installed():
        raise SettingError(
            "runtime native", expected="ggml-python and compiled kernels", got="none",
            fix="install motet anew where there is a C compiler",
        )  # fmt: skip
    from motet.runtime.native import KVType, NativeRuntime, map_gguf, read_model

    if isinstance(source, GGUFModel):
        if dtype is not None:
            raise SettingError(
                "dtype", expected="none for a GGUF file, whose weights are as they are",
                got=dtype.value, fix="convert the model again for another precision",
            )  # fmt: skip
        model = map_gguf(source)
    else:
        model = read_model(source, _TYPES[dtype or Dtype.FLOAT32])
    if conv_mode is not None:
        layout = dataclasses.replace(model.layout, conv_mode=conv_mode)
        model = dataclasses.replace(model, layout=layout)
    if device is not None:
        from motet.runtime.device import DeviceRuntime, device_named

        found = device_named(device)
        return DeviceRuntime(model, found, kv_type=KVType[cache.name], num_threads=threads)
    return NativeRuntime(model, kv_type=KVType[cache.name], num_threads=threads)


def _open_torch(
    source: ModelSource,
    dtype: Dtype | None,
    conv_mode: ConvMode | None,
    native_only: dict[str, object],
) -> Runtime[Any]:
    if isinstance(source, GGUFModel):
        raise SettingError(
            "runtime torch", expected="a model directory", got=f"the file {source.path}",
            fix="open it with the native runtime",
        )  # fmt: skip
    for setting, value in native_only.items():
        if value is not None:
            raise SettingError(
                setting, expected="none with the torch runtime", got=value,
                fix="open the model with the native runtime",
            )  # fmt: skip
    try:
        from motet.runtime.torch import TorchRuntime
        from motet.runtime.torch.checkpoint import load_model
    except ModuleNotFoundError as error:
        raise SettingError(
            "runtime torch", expected="PyTorch and transformers", got=f"no {error.name}",
            fix="install motet[torch]",
        ) from None  # fmt: skip
    precision = dtype or Dtype.FLOAT32
    return TorchRuntime(load_model(source, dtype=precision.value, conv_mode=conv_mode))
