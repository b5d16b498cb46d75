"""What the architecture implies for one forward of a row: bytes to move, products to compute.

    bytes(n) = dense weights + head + n distinct experts of every layer + embedding rows
               + keys and values of the past + conv inputs

A row can't be computed faster than these bytes come from memory, so bytes over bandwidth is the
floor that a measured time is held against. The parts add up to the tensors of the file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import GGUFModel
from motet.formats.hyperparameters import Hyperparameters
from motet.runtime.cost import Sizes, distinct_experts, parts_of
from motet.runtime.directory import ModelSource

_KV_BYTES, _CONV_BYTES = 2, 4  # of a number: float16 keys and values, float32 conv inputs


@dataclass(frozen=True)
class Work:
    """One forward: a row of each of `num_sessions` sessions, of C channels, after `past_rows` rows.

    num_logits: channels of a row whose logits are wanted.
    """

    num_sessions: int
    num_channels: int
    num_logits: int
    past_rows: int = 0

    @property
    def num_cells(self) -> int:
        """T."""
        return self.num_sessions * self.num_channels


@dataclass(frozen=True)
class RowCost:
    """Bytes and multiply-adds of one `Work`.

    dense_bytes: weights that every row reads. head_bytes: of the head, or of the embedding that
    serves as one. unread_bytes: an embedding table beside a head of its own. expert_bytes: one
    expert of every layer that has experts, 0 without. num_distinct: experts of a layer that the
    cells touch if each chooses independently. kv_bytes: keys and values read and written.
    """

    dense_bytes: int
    head_bytes: int
    unread_bytes: int
    expert_bytes: int
    embedding_bytes: int
    kv_bytes: int
    conv_bytes: int
    multiply_adds: int
    num_experts: int
    num_active_experts: int
    num_distinct: float

    @property
    def file_bytes(self) -> int:
        """Bytes of all tensors."""
        return (
            self.dense_bytes
            + self.head_bytes
            + self.unread_bytes
            + self.num_experts * self.expert_bytes
        )

    def bytes(self, num_distinct: float | None = None) -> float:
        """Bytes that the forward moves if a layer's cells touch so many distinct experts."""
        touched = self.num_distinct if num_distinct is None else num_distinct
        return (
            self.dense_bytes
            + self.head_bytes
            + touched * self.expert_bytes
            + self.embedding_bytes
            + self.kv_bytes
            + self.conv_bytes
        )

    def floor_s(self, bandwidth: float, num_distinct: float | None = None) -> float:
        """Seconds to read them at `bandwidth` bytes a second."""
        return self.bytes(num_distinct) / bandwidth


def weight_types(source: ModelSource) -> str:
    """Which types the bytes of the weights are in, those of most bytes first."""
    if not isinstance(source, GGUFModel):
        return "F32"
    num_bytes: Counter[str] = Counter()
    for tensor in source.tensors.values():
        num_bytes[GGMLType(tensor.type).name] += tensor.num_bytes
    return ", ".join(name for name, _ in num_bytes.most_common())


def row_cost(numbers: Hyperparameters, sizes: Sizes, work: Work) -> RowCost:
    """The cost of `work` on tensors of these sizes, with a KV cache in float16."""
    parts, C, T = parts_of(numbers, sizes), work.num_channels, work.num_cells
    E, A = numbers.num_experts, numbers.num_active_experts
    num_conv = numbers.num_kv_heads.count(0)
    num_attention = numbers.num_layers - num_conv
    kv_values = 2 * sum(numbers.num_kv_heads) * numbers.head_width
    scores = num_attention * 2 * numbers.num_heads * numbers.head_width * (C * work.past_rows + 1)
    return RowCost(
        dense_bytes=parts.dense.bytes,
        head_bytes=parts.head.bytes,
        unread_bytes=0 if parts.table_is_head else parts.table.bytes,
        expert_bytes=parts.expert.bytes,
        embedding_bytes=T * parts.table.bytes // numbers.vocab_size,
        kv_bytes=T * (work.past_rows + 1) * kv_values * _KV_BYTES,
        conv_bytes=T * num_conv * numbers.width * numbers.conv_width * _CONV_BYTES,
        multiply_adds=T * (parts.dense.numbers + A * parts.expert.numbers + scores)
        + work.num_sessions * work.num_logits * parts.head.numbers,
        num_experts=E,
        num_active_experts=A,
        num_distinct=distinct_experts(E, A, T) if E else 0.0,
    )
