"""The most memory that a process has held, in bytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

__all__ = ["peak_bytes"]

_STATUS = Path("/proc/self/status")
_FIELD = "VmHWM:"


def peak_bytes(device: torch.device) -> int:
    """Peak of the device's memory on a GPU; else of the process.

    Linux tells it in /proc; what getrusage tells there includes what a parent held.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if _STATUS.exists():
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith(_FIELD):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
