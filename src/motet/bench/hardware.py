"""The machine that a figure was measured on; without it a figure says nothing."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_INSTRUCTION_SETS = (  # that matter for products of quantised weights, as Linux spells them
    "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "amx_int8", "asimd", "asimddp", "i8mm", "sve",
)  # fmt: skip


@dataclass(frozen=True)
class Hardware:
    """cores: how many this process may use. memory_bytes: installed; 0 where it is not known."""

    cpu: str
    cores: int
    instruction_sets: tuple[str, ...]
    memory_bytes: int
    system: str

    def to_json(self) -> dict[str, object]:
        """The same as plain JSON values."""
        return asdict(self) | {"instruction_sets": list(self.instruction_sets)}


def read_hardware() -> Hardware:
    """What this machine says about itself."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpuinfo = ""
    named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    return Hardware(
        cpu=named[1].strip() if named else platform.processor() or platform.machine(),
        cores=num_cores(),
        instruction_sets=tuple(name for name in _INSTRUCTION_SETS if name in known),
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def num_cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def peak_resident_bytes() -> int:
    """The most memory that this process has held at once; mapped files count where they were read.

    From /proc where there is one: what `getrusage` says there includes the process that started
    this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
