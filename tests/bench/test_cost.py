"""What a row costs: against the 8B model's published figures, real bytes, and numbers by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from motet.bench.cost import RowCost, Work, row_cost, weight_types
from motet.bench.shape import shape_named
from motet.formats.gguf import GGUFModel
from motet.formats.names import EMBEDDING, HEAD
from motet.runtime.cost import Sizes
from motet.runtime.directory import sizes_of
from tests.bench.shapes import TINY

ONE, FOUR = Work(1, 1, 1), Work(1, 4, 3)


def sizes_8b(bits: float) -> Sizes:
    """The 8B model with all matrices in so many bits a number."""
    shapes = shape_named("lfm2.5-8b-a1b").shapes()
    numbers = {name: math.prod(shape) for name, shape in shapes.items()}
    return {name: (number, round(number * bits / 8)) for name, number in numbers.items()}


def cost_8b(work: Work) -> RowCost:
    return row_cost(shape_named("lfm2.5-8b-a1b"), sizes_8b(4.5), work)


def test_bytes_of_a_row_of_the_8b_model() -> None:
    one, four = cost_8b(ONE), cost_8b(FOUR)
    assert one.num_distinct == 4
    assert four.num_distinct == pytest.approx(13.24, abs=0.005)
    assert one.bytes() == pytest.approx(0.95e9, rel=0.01)
    assert four.bytes() == pytest.approx(2.21e9, rel=0.01)
    assert four.floor_s(25.6e9) == pytest.approx(0.086, abs=0.001)
    assert four.kv_bytes == 4 * 12_288
    assert one.multiply_adds == pytest.approx(1.69e9, rel=0.01)


def test_bytes_of_sessions_together() -> None:
    together = cost_8b(Work(4, 4, 3))
    assert together.num_distinct == pytest.approx(32 * (1 - (7 / 8) ** 16))
    assert together.expert_bytes == cost_8b(ONE).expert_bytes
    assert together.dense_bytes == cost_8b(ONE).dense_bytes
    assert together.kv_bytes == 16 * 12_288
    assert together.multiply_adds == 4 * cost_8b(FOUR).multiply_adds


def test_a_past_costs_its_keys_and_values() -> None:
    late = cost_8b(replace(FOUR, past_rows=4000))
    assert late.kv_bytes == 4001 * 4 * 12_288
    scores = 6 * 2 * 32 * 64  # attention layers, keys and values, query heads, head width
    assert late.multiply_adds - cost_8b(FOUR).multiply_adds == 4 * 4 * 4000 * scores


def test_parts_add_up_to_the_file(tiny_file: GGUFModel) -> None:
    cost = row_cost(TINY, sizes_of(tiny_file, 4), FOUR)
    tensors = sum(info.num_bytes for info in tiny_file.tensors.values())
    assert cost.file_bytes == tensors
    last = max(info.offset + info.num_bytes for info in tiny_file.tensors.values())
    assert last <= tiny_file.path.stat().st_size < last + 64
    assert cost.bytes(TINY.num_experts) == (
        tensors + cost.embedding_bytes + cost.kv_bytes + cost.conv_bytes
    )
    assert weight_types(tiny_file) == "Q4_0, Q8_0, F32"


def test_the_tiny_model_by_hand(tiny_file: GGUFModel) -> None:
    cost = row_cost(TINY, sizes_of(tiny_file, 4), FOUR)
    q4_0 = 18 / 32
    assert cost.expert_bytes == 3 * 3 * 32 * 64 * q4_0  # layers, matrices, F, D
    assert cost.head_bytes == 320 * 64 * 34 / 32
    assert cost.embedding_bytes == 4 * 64 * 34 / 32
    assert cost.conv_bytes == 4 * 2 * 3 * 64 * 4  # cells, layers, W, D, float32
    assert cost.kv_bytes == 4 * 2 * 2 * 2 * 16 * 2  # cells, layers, K and V, G, K, float16


def test_a_head_of_its_own_is_read_and_the_embedding_is_not(tiny_file: GGUFModel) -> None:
    tied = sizes_of(tiny_file, 4)
    untied = {**tied, HEAD: (320 * 64, 999)}
    one, two = row_cost(TINY, tied, FOUR), row_cost(TINY, untied, FOUR)
    assert (two.head_bytes, two.unread_bytes) == (999, tied[EMBEDDING][1])
    assert two.bytes() == one.bytes() - one.head_bytes + 999
    assert two.file_bytes == one.file_bytes + 999
