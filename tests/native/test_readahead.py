"""Weights asked for ahead: every byte, in the background; a file may be gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from motet.runtime.native.readahead import STEP_BYTES, read_ahead

pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="this system can't be asked"
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Start and length of what the system was asked for; it is asked all the same."""
    ranges: list[tuple[int, int]] = []
    ask = os.posix_fadvise

    def record(descriptor: int, start: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        ranges.append((start, length))
        ask(descriptor, start, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", record)
    return ranges


@pytest.mark.parametrize("num_bytes", [1, STEP_BYTES, 2 * STEP_BYTES + 1])
def test_every_byte_is_asked_for(
    tmp_path: Path, asked: list[tuple[int, int]], num_bytes: int
) -> None:
    path = tmp_path / "weights"
    path.write_bytes(bytes(num_bytes))
    thread = read_ahead(path)
    assert thread is not None
    thread.join()
    assert [start for start, _ in asked] == list(range(0, num_bytes, STEP_BYTES))
    assert {length for _, length in asked} == {STEP_BYTES}


def test_a_file_that_is_gone_is_nobodys_error(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    thread = read_ahead(tmp_path / "gone")
    assert thread is not None
    thread.join()
    assert asked == []


def test_a_system_that_cannot_be_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise")
    assert read_ahead(tmp_path) is None
