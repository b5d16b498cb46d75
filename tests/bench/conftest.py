"""A file of random weights in a tiny shape, written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.bench.random import open_random
from motet.bench.shape import SHAPES
from motet.formats.gguf import GGUFModel
from motet.formats.quantize import Quant
from tests.bench.shapes import TINY


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> GGUFModel:
    """TINY in q4_0."""
    path = tmp_path_factory.mktemp("bench") / "tiny.gguf"
    return open_random(path, "tiny", TINY, Quant.Q4_0, say=lambda _: None)


@pytest.fixture
def tiny_shape(tiny_file: GGUFModel, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line knows the shape `tiny`; where its weights are."""
    monkeypatch.setitem(SHAPES, "tiny", TINY)
    monkeypatch.setattr("motet.bench.decode.TURN_S", 0.001)
    return tiny_file.path
