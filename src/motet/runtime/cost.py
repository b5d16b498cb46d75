"""What a row costs, read off the shapes of the weights.

A row of C cells reads every dense weight once, the head for the sampled channels, and the experts
that at least one of its cells chose. With A of E experts a cell, chosen independently, the number
of distinct ones is E * (1 - (1 - A/E)^C): 13.2 of 32 for C = 4, A = 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from motet.formats.hyperparameters import Hyperparameters
from motet.formats.names import EMBEDDING, HEAD

_EXPERTS = "_exps.weight"


Sizes = Mapping[str, tuple[int, int]]
"""Numbers and bytes of each tensor, by its name in GGUF files."""


class Size(NamedTuple):
    """How many numbers, in how many bytes."""

    numbers: int
    bytes: int


@dataclass(frozen=True)
class Parts:
    """Weights by who reads them: dense, every row; expert, one of every layer that has experts.

    table: the token embedding, of which a cell reads one row; table_is_head: it is the head too.
    """

    dense: Size
    head: Size
    expert: Size
    table: Size
    table_is_head: bool


@dataclass(frozen=True)
class Cost:
    """Weights in all and per row, and the state of a session.

    row_parameters, row_bytes: weights that one decoded row reads (expected). row_multiply_adds:
    products with weights in one row. distinct_experts: a layer's experts that a row touches
    (expected), 0 without experts. kv_values_per_row: numbers that a row adds to the KV cache.
    conv_values: numbers in the conv state of a session.
    """

    parameters: int
    weight_bytes: int
    num_attention_layers: int
    num_conv_layers: int
    row_parameters: int
    row_bytes: int
    row_multiply_adds: int
    distinct_experts: float
    kv_values_per_row: int
    conv_values: int


def distinct_experts(E: int, A: int, C: int) -> float:
    """Expected number of E experts that C cells touch, each choosing A of them independently."""
    return E * (1.0 - (1.0 - A / E) ** C)


def parts_of(numbers: Hyperparameters, sizes: Sizes) -> Parts:
    """The weights of a model by who reads them."""

    def total(applies: Callable[[str], bool]) -> Size:
        chosen = [size for name, size in sizes.items() if applies(name)]
        return Size(sum(size[0] for size in chosen), sum(size[1] for size in chosen))

    E = max(numbers.num_experts, 1)
    experts = total(lambda name: name.endswith(_EXPERTS))
    return Parts(
        dense=total(lambda name: not name.endswith(_EXPERTS) and name not in (EMBEDDING, HEAD)),
        head=Size(*sizes[HEAD if HEAD in sizes else EMBEDDING]),
        expert=Size(experts.numbers // E, experts.bytes // E),
        table=Size(*sizes[EMBEDDING]),
        table_is_head=HEAD not in sizes,
    )


def cost_of(numbers: Hyperparameters, sizes: Sizes, C: int, num_sampled: int) -> Cost:
    """Cost of a model with C channels, `num_sampled` of them sampled."""
    E, A = numbers.num_experts, numbers.num_active_experts
    touched = distinct_experts(E, A, C) if E else 0.0
    parts = parts_of(numbers, sizes)
    dense, head, expert = parts.dense, parts.head, parts.expert
    num_conv = numbers.num_kv_heads.count(0)
    return Cost(
        parameters=sum(size[0] for size in sizes.values()),
        weight_bytes=sum(size[1] for size in sizes.values()),
        num_attention_layers=numbers.num_layers - num_conv,
        num_conv_layers=num_conv,
        row_parameters=round(dense.numbers + head.numbers + expert.numbers * touched),
        row_bytes=round(dense.bytes + head.bytes + expert.bytes * touched),
        row_multiply_adds=(dense.numbers + expert.numbers * A) * C + head.numbers * num_sampled,
        distinct_experts=touched,
        kv_values_per_row=2 * sum(numbers.num_kv_heads) * numbers.head_width * C,
        conv_values=num_conv * numbers.width * max(numbers.conv_width - 1, 0) * C,
    )
