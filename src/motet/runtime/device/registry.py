"""The devices that the installed ggml has, and which one a name means."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache

from motet.errors import SettingError
from motet.runtime.device import backends
from motet.runtime.native.memory import available_bytes

ANY_GPU = "gpu"
_KINDS = {
    backends.CPU: "the processor",
    backends.GPU: "GPU",
    backends.INTEGRATED_GPU: "GPU that shares the processor's memory",
    backends.ACCELERATOR: "accelerator",
}


@dataclass(frozen=True)
class Device:
    """A device. kind: ggml's number. handle: the address that ggml knows it by."""

    name: str
    description: str
    kind: int
    handle: int

    @property
    def is_cpu(self) -> bool:
        """Whether it is the processor."""
        return self.kind == backends.CPU

    @property
    def is_gpu(self) -> bool:
        """Whether it is a graphics processor."""
        return self.kind in (backends.GPU, backends.INTEGRATED_GPU)

    def free_bytes(self) -> int | None:
        """Bytes of its memory that may still be taken; None where that is not known."""
        if self.is_cpu:
            return available_bytes()
        free, total = self._memory()
        return free if total else None

    def __str__(self) -> str:
        text = f"{self.description}, {_KINDS.get(self.kind, 'device')}"
        free, total = self._memory()
        if self.is_cpu or not total:
            return text
        return f"{text}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"

    def _memory(self) -> tuple[int, int]:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        backends.dev_memory(self.handle, ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value


@cache
def devices() -> tuple[Device, ...]:
    """All devices, in ggml's order: GPUs before the processor."""
    handles = [backends.dev_get(place) for place in range(backends.dev_count())]
    return tuple(
        Device(
            name=backends.dev_name(handle).decode(),
            description=backends.dev_description(handle).decode("utf-8", "replace").strip(),
            kind=backends.dev_type(handle),
            handle=handle,
        )
        for handle in handles
    )


def device_named(name: str) -> Device:
    """The device called `name`, in any case; `gpu` is the first GPU. SettingError if none is."""
    found = devices()
    for device in found:
        if device.name.lower() == name.lower():
            return device
    gpus = [device for device in found if device.is_gpu]
    if name.lower() == ANY_GPU and gpus:
        return min(gpus, key=lambda device: device.kind)
    names = ", ".join(device.name for device in found)
    fix = None
    if not gpus:
        fix = "this ggml was compiled without GPUs: see docs/native.md"
    raise SettingError("device", expected=f"one of {names}", got=name, fix=fix)
