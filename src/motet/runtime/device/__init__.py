"""The native runtime's models on any device that the installed ggml has: GPUs, and the CPU."""

from motet.runtime.device.registry import Device, device_named, devices
from motet.runtime.device.runtime import DeviceRuntime
from motet.runtime.device.state import DeviceState

__all__ = ["Device", "DeviceRuntime", "DeviceState", "device_named", "devices"]
