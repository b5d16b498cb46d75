"""The most memory that a process has held, in bytes."""

from __future__ import annotations

import resource
import sys

import torch

__all__ = ["peak_bytes"]


def peak_bytes(device: torch.device) -> int:
    """Peak of the device's memory on a GPU; else of the process (what the system counts)."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
