"""The digest of a model: it tells models apart, and reading it leaves no weights in memory."""

from __future__ import annotations

import mmap
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.formats.ggml_types import GGMLType
from motet.runtime.native.digest import digest_of
from motet.runtime.native.weights import Weight
from tests.native.models import read_case
from tests.tiny import CASES

NUM_BYTES = 1 << 25


def mapped_weight(path: Path) -> Weight:
    path.write_bytes(np.random.default_rng(1).bytes(NUM_BYTES))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    data = np.frombuffer(mapped, np.uint8)
    return Weight(GGMLType.F32, (NUM_BYTES // 4,), data, mapped)


def resident_bytes(path: Path) -> int:
    """Of the mappings of a file in this process."""
    maps = Path("/proc/self/smaps").read_text()
    sizes = re.findall(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss:\s+(\d+) kB", maps)
    return sum(int(size) << 10 for size in sizes)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs /proc")
def test_what_was_sampled_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    model = replace(read_case(CASES[0]), weights={"w": mapped_weight(path)})
    digest = digest_of(model)
    assert resident_bytes(path) == 0
    monkeypatch.setattr(Weight, "give_back", lambda _: None)
    assert digest_of(model) == digest
    assert resident_bytes(path) > 0
