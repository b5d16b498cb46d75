"""The C sources under the address and undefined-behaviour sanitizers, in a process of their own.

`cases.c` runs every level on exact allocations and compares all of them bit by bit, also the loops
of AVX-VNNI through the AVX-512 form of its instruction where the processor has only that.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from motet.runtime.native import kernels

HERE = Path(__file__).parent
SOURCES = Path(kernels.__file__).parent
FLAGS = ["-std=gnu11", "-O0", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_nothing_is_read_or_written_outside_and_all_levels_agree(tmp_path: Path) -> None:
    sources = [path for path in sorted(SOURCES.glob("*.c")) if path.name != "module.c"]
    extra = [HERE / "cases.c"]
    define = []
    if platform.machine() == "x86_64":
        extra.append(HERE / "level_dot_256.c")
        define = ["-DWITH_DOT_256"]
    program = tmp_path / "cases"
    command = ["gcc", *FLAGS, *SANITIZERS, *define, f"-I{SOURCES}", "-o", program, *extra, *sources]
    subprocess.run([*command, "-lm", "-lpthread"], check=True)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # ptrace may be forbidden
    done = subprocess.run([program, "16"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    num_levels = len(kernels.levels())
    assert int(done.stdout.split()[0]) in (num_levels, num_levels + 1)
    assert int(done.stdout.split()[2]) >= 48 * (num_levels - 1)
