"""How much memory is free, by what the system's files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.runtime.native import memory

MEMINFO = "MemTotal:       24000000 kB\nMemFree:  1000 kB\nMemAvailable:   5000 kB\nOdd line\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    return tmp_path


def write_group(folder: Path, limit: str) -> None:
    (folder / "memory.max").write_text(limit + "\n")
    (folder / "memory.current").write_text("3000\n")
    (folder / "memory.stat").write_text("anon 1000\ninactive_file 500\n")


def test_nothing_is_known(files: Path) -> None:
    assert memory.available_bytes() is None


def test_the_machine(files: Path) -> None:
    (files / "meminfo").write_text(MEMINFO)
    assert memory.available_bytes() == 5000 * 1024


def test_a_group_may_have_less(files: Path) -> None:
    (files / "meminfo").write_text(MEMINFO)
    write_group(files, "4000")
    assert memory.available_bytes() == 4000 - 3000 + 500
    write_group(files, "max")
    assert memory.available_bytes() == 5000 * 1024
    write_group(files, "100")
    assert memory.available_bytes() == 0


@pytest.mark.parametrize("content", ["", "MemFree: 5 kB", "MemAvailable:"])
def test_an_unusual_meminfo(files: Path, content: str) -> None:
    (files / "meminfo").write_text(content)
    assert memory.available_bytes() is None


def test_here() -> None:
    if Path("/proc/meminfo").exists():
        available = memory.available_bytes()
        assert available is not None
        assert available > 1 << 20
