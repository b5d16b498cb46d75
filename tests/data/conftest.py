"""A tokenizer learned from a few tasks, shared by the tests of this folder."""

from __future__ import annotations

from random import Random

import pytest
from tokenizers import Tokenizer

from motet.data.tiny.mixture import Shares, TaskSource
from motet.data.tiny.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def source() -> TaskSource:
    return TaskSource.of_package(Shares())


@pytest.fixture(scope="session")
def tokenizer(source: TaskSource) -> Tokenizer:
    rng = Random(0)
    return train_tokenizer((t for _ in range(600) for t in source.draw(rng).texts), 700)
