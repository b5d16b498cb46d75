"""The known shapes have as many parameters as the published models."""

from __future__ import annotations

import math

import pytest

from motet.bench.shape import SHAPES, shape_named
from motet.errors import BenchError
from motet.formats.hyperparameters import check_numbers

PUBLISHED = {  # parameter counts of the checkpoints on the models' pages
    "lfm2.5-8b-a1b": 8_467_856_832,
    "lfm2-350m": 354_483_968,
    "lfm2-700m": 742_489_344,
    "lfm2-1.2b": 1_170_340_608,
    "lfm2.5-2.6b": 2_697_198_592,
}


def test_every_shape_is_checked() -> None:
    assert PUBLISHED.keys() == SHAPES.keys()


@pytest.mark.parametrize("name", SHAPES)
def test_parameters(name: str) -> None:
    numbers = shape_named(name)
    check_numbers(numbers, name)
    assert sum(map(math.prod, numbers.shapes().values())) == PUBLISHED[name]


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(BenchError, match=r"--shape: expected lfm2.5-8b-a1b or .* got 'gpt'"):
        shape_named("gpt")
