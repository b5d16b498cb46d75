"""What a row costs, read off the shapes of the weights.

A row of C cells reads every dense weight once, the head for the sampled channels, and the experts
that at least one of its cells chose. With A of E experts a cell, chosen independently, the number
of distinct ones is E * (1 - (1 - A/E)^C): 13.2 of 32 for C = 4, A = 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from motet.formats.hyperparameters import Hyperparameters
from motet.formats.names import EMBEDDING, HEAD

_EXPERTS = "_exps.weight"


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


def cost_of(
    numbers: Hyperparameters,
    sizes: Mapping[str, tuple[int, int]],
    C: int,
    num_sampled: int,
) -> Cost:
    """Cost of a model with C channels, `num_sampled` of them sampled.

    sizes: numbers and bytes of each tensor, by its name in GGUF files.
    """
    E, A = numbers.num_experts, numbers.num_active_experts
    touched = distinct_experts(E, A, C) if E else 0.0

    def total(column: int, applies: Callable[[str], bool]) -> int:
        return sum(size[column] for name, size in sizes.items() if applies(name))

    def is_dense(name: str) -> bool:
        return not name.endswith(_EXPERTS) and name not in (EMBEDDING, HEAD)

    head = HEAD if HEAD in sizes else EMBEDDING
    dense = [total(i, is_dense) for i in (0, 1)]
    expert = [total(i, lambda name: name.endswith(_EXPERTS)) / max(E, 1) for i in (0, 1)]
    num_conv = numbers.num_kv_heads.count(0)
    return Cost(
        parameters=total(0, lambda _: True),
        weight_bytes=total(1, lambda _: True),
        num_attention_layers=numbers.num_layers - num_conv,
        num_conv_layers=num_conv,
        row_parameters=round(dense[0] + sizes[head][0] + expert[0] * touched),
        row_bytes=round(dense[1] + sizes[head][1] + expert[1] * touched),
        row_multiply_adds=round((dense[0] + expert[0] * A) * C + sizes[head][0] * num_sampled),
        distinct_experts=touched,
        kv_values_per_row=2 * sum(numbers.num_kv_heads) * numbers.head_width * C,
        conv_values=num_conv * numbers.width * max(numbers.conv_width - 1, 0) * C,
    )
