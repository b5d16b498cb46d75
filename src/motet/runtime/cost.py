"""What a row costs, read off the shapes of the weights.

A row of C cells reads every dense weight once, the head for the sampled channels, and the experts
that at least one of its cells chose. With A of E experts a cell, chosen independently, the number
of distinct ones is E * (1 - (1 - A/E)^C): 13.2 of 32 for C = 4, A = 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motet.errors import CheckpointError

_EMBEDDING, _HEAD = "embed_tokens.weight", "lm_head.weight"
_KEYS, _KERNEL, _ROUTER = "k_proj.weight", "conv.conv.weight", "gate.weight"


@dataclass(frozen=True)
class Cost:
    """Weights in all and per row, and the state of a session. Counts of numbers, not bytes.

    row_parameters: parameters that one decoded row reads (expected). row_multiply_adds: products
    with weights in one row. distinct_experts: a layer's experts that a row touches (expected), 0
    without experts. kv_values_per_row: numbers that a row adds to the KV cache. conv_values:
    numbers in the conv state of a session.
    """

    parameters: int
    num_attention_layers: int
    num_conv_layers: int
    row_parameters: int
    row_multiply_adds: int
    distinct_experts: float
    kv_values_per_row: int
    conv_values: int


def distinct_experts(E: int, A: int, C: int) -> float:
    """Expected number of E experts that C cells touch, each choosing A of them independently."""
    return E * (1.0 - (1.0 - A / E) ** C)


def cost_of(
    shapes: Mapping[str, Sequence[int]], config: Mapping[str, Any], C: int, num_sampled: int
) -> Cost:
    """Cost of a model with these tensors and this transformers configuration.

    Raises CheckpointError if they are not the tensors of a causal language model, or if they hold
    experts and the configuration does not say how many a cell chooses.
    """
    embeddings = [shape for key, shape in shapes.items() if key.endswith(_EMBEDDING)]
    keys = [shape for key, shape in shapes.items() if key.endswith(_KEYS)]
    kernels = [shape for key, shape in shapes.items() if key.endswith(_KERNEL)]
    if len(embeddings) != 1 or not keys + kernels:
        raise CheckpointError(
            "tensors", expected=f"one {_EMBEDDING}, and layers with {_KEYS} or {_KERNEL}",
            got=f"{len(embeddings)}, {len(keys)} and {len(kernels)}",
        )  # fmt: skip
    total = dense = expert = 0
    for key, shape in shapes.items():
        size = math.prod(shape)
        total += size
        if ".experts." in key:
            expert += size
        elif not key.endswith((_EMBEDDING, _HEAD)):
            dense += size
    share = touched = 0.0
    if expert:
        E, A = _num_experts(shapes, config)
        touched, share = distinct_experts(E, A, C), A / E
    head = math.prod(embeddings[0])
    return Cost(
        parameters=total,
        num_attention_layers=len(keys),
        num_conv_layers=len(kernels),
        row_parameters=round(dense + head + (expert * touched / E if expert else 0)),
        row_multiply_adds=round((dense + expert * share) * C + head * num_sampled),
        distinct_experts=touched,
        kv_values_per_row=sum(2 * width for width, _ in keys) * C,
        conv_values=sum(D * (W - 1) for D, _, W in kernels) * C,
    )


def _num_experts(shapes: Mapping[str, Sequence[int]], config: Mapping[str, Any]) -> tuple[int, int]:
    routers = {shape[0] for key, shape in shapes.items() if key.endswith(_ROUTER)}
    E = routers.pop() if len(routers) == 1 else 0
    A = config.get("num_experts_per_tok")
    if type(A) is not int or not 1 <= A <= E:
        raise CheckpointError(
            "num_experts_per_tok", expected=f"1 to {E}, the experts that a router chooses from",
            got=A,
        )  # fmt: skip
    return E, A
