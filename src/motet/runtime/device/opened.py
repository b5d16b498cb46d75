"""A device at work: its memory, and graphs that it computes."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.errors import SettingError
from motet.formats.ggml_types import GGMLType
from motet.runtime.device import backends
from motet.runtime.device.registry import Device
from motet.runtime.native import ggml
from motet.runtime.native.freed import free_with
from motet.runtime.native.threads import num_cores

Name = TypeVar("Name", bound=Hashable)


class OpenedDevice:
    """A device that was opened. turns: held by the thread that uses it."""

    def __init__(self, device: Device, num_threads: int | None = None) -> None:
        """num_threads: of the processor (default: all cores); no other device has any."""
        if num_threads is not None and not device.is_cpu:
            raise SettingError("threads", expected=f"none on {device.name}", got=num_threads)
        self.device = device
        self.turns = threading.RLock()
        self._backend: int | None = backends.dev_init(device.handle, None)
        if self._backend is None:
            raise SettingError("device", expected="one that can be opened", got=device.name)
        free_with(self, backends.backend_free, self._backend)
        if device.is_cpu:
            backends.set_cpu_threads(self._backend, num_threads or num_cores())
        self.buffer_type: int = backends.dev_buffer_type(device.handle)

    def check(self, graph: int) -> None:
        """SettingError if the device lacks an operation of `graph`."""
        for place in range(backends.graph_num_nodes(graph)):
            node = backends.graph_node(graph, place)
            if not backends.dev_supports_op(self.device.handle, node):
                raise SettingError(
                    f"device {self.device.name}", expected="all operations of this model",
                    got=f"no {_described(node)}",
                    fix="leave out --device, or convert the model to another type",
                )  # fmt: skip

    def compute(self, graph: int) -> None:
        """Compute a graph that was laid out; MemoryError if the device failed."""
        status = backends.graph_compute(self._backend, graph)
        if status != 0:
            raise MemoryError(f"{self.device.name} computed nothing: status {status}")


class Memory(Generic[Name]):
    """Named tensors on a device, zeros at first. Freed with the object."""

    def __init__(
        self, opened: OpenedDevice, shapes: Mapping[Name, tuple[GGMLType, tuple[int, ...]]]
    ) -> None:
        """shapes: slowest dimension first. MemoryError if the device has not enough of it."""
        self._opened = opened
        size = len(shapes) * ggml.tensor_overhead()
        self._context: int = ggml.init(ggml.InitParams(size, None, True))
        free_with(self, ggml.free, self._context)
        self.tensors: dict[Name, int] = {}
        for name, (kind, shape) in shapes.items():
            ne = (ctypes.c_int64 * len(shape))(*reversed(shape))
            self.tensors[name] = ggml.new_tensor(self._context, kind, len(shape), ne)
        self._buffer: int | None = backends.allocate_tensors(self._context, opened.buffer_type)
        if self._buffer is None:
            raise MemoryError(f"no memory on {opened.device.name}")
        free_with(self, backends.buffer_free, self._buffer)
        backends.buffer_clear(self._buffer, 0)

    def write(self, name: Name, data: NDArray[Any], offset: int = 0) -> None:
        """Put an array into a tensor, from byte `offset` on."""
        write(self.tensors[name], data, offset)

    def read_into(self, name: Name, data: NDArray[Any], offset: int = 0) -> None:
        """Fill a contiguous array with what a tensor holds from byte `offset` on."""
        if data.nbytes:
            backends.tensor_get(self.tensors[name], data.ctypes.data, offset, data.nbytes)


def write(tensor: int, data: NDArray[Any], offset: int = 0) -> None:
    """Put an array into a tensor, from byte `offset` on."""
    whole = np.ascontiguousarray(data)
    if whole.nbytes:
        backends.tensor_set(tensor, whole.ctypes.data, offset, whole.nbytes)


def _described(node: int) -> str:
    """An operation and the types that it reads."""
    sources = [source for source in ggml.Tensor.from_address(node).src if source]
    types = [GGMLType(ggml.Tensor.from_address(source).type).name for source in sources]
    return f"{backends.op_description(node).decode()} of {', '.join(types)}"
