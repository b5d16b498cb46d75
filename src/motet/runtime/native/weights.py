"""Weights where ggml can read them: mapped from a GGUF file, or made from arrays in memory.

Names and shapes are those of llama.cpp's files (see `motet.formats.gguf`). A mapped file costs no
memory of its own and is shared by every process that opens it.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.config import from_config
from motet.formats.directory import ModelDirectory
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import GGUFModel
from motet.formats.hyperparameters import Hyperparameters, check_shapes
from motet.formats.metadata import read_hyperparameters
from motet.formats.names import CHANNEL_EMBEDDING
from motet.formats.quantize import quantized
from motet.formats.tensors import read_tensors
from motet.streams.layout import Layout

Bytes = NDArray[np.uint8]
MOST_IN_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True)
class Weight:
    """One tensor. shape: slowest dimension first. data: its bytes [num_bytes], kept alive.

    mapped, offset: the file that it is mapped from, if it is, and where in it.
    """

    type: GGMLType
    shape: tuple[int, ...]
    data: Bytes = field(repr=False)
    mapped: mmap.mmap | None = field(default=None, repr=False)
    offset: int = 0

    def floats(self) -> NDArray[np.float32]:
        """The numbers of an F32 or F16 tensor; CheckpointError for any other type."""
        if self.type is GGMLType.F32:
            return self.data.view(np.float32).reshape(self.shape).copy()
        if self.type is GGMLType.F16:
            return self.data.view(np.float16).reshape(self.shape).astype(np.float32)
        raise CheckpointError("tensor", expected="F32 or F16", got=self.type.name)

    def give_back(self) -> None:
        """Drop the pages of a mapped tensor from memory; they come back if anybody reads them."""
        if self.mapped is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        first = -(-self.offset // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (self.offset + len(self.data)) // mmap.PAGESIZE * mmap.PAGESIZE - first
        if length > 0:
            self.mapped.madvise(mmap.MADV_DONTNEED, first, length)


@dataclass(frozen=True)
class Model:
    """Everything that a runtime needs to know of a model."""

    hyperparameters: Hyperparameters
    layout: Layout
    weights: Mapping[str, Weight] = field(repr=False)


def weight_of(array: NDArray[np.float32]) -> Weight:
    """An array as a tensor."""
    whole = np.ascontiguousarray(array, np.float32)
    return Weight(GGMLType.F32, whole.shape, whole.reshape(-1).view(np.uint8))


def stays_float32(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is too small, and too important, to be kept in fewer bits."""
    small = ("shortconv.conv.weight", "ffn_gate_inp.weight", CHANNEL_EMBEDDING)
    return len(shape) < 2 or name.endswith(small)


def map_gguf(file: GGUFModel) -> Model:
    """The model of a GGUF file, its tensors mapped; CheckpointError if it is no known model."""
    with file.path.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    content = np.frombuffer(mapped, np.uint8)
    weights = {}
    for name, info in file.tensors.items():
        data = content[info.offset : info.offset + info.num_bytes]
        weights[name] = Weight(GGMLType(info.type), info.shape, data, mapped, info.offset)
    shapes = {name: weight.shape for name, weight in weights.items()}
    numbers = read_hyperparameters(file.metadata, shapes, str(file.path))
    check_shapes(numbers, shapes, file.layout.num_channels, str(file.path))
    return Model(numbers, file.layout, weights)


def kinds_of(
    source: ModelDirectory | GGUFModel, kind: GGMLType
) -> dict[str, tuple[GGMLType, tuple[int, ...]]]:
    """Type and shape of each tensor of a model; a directory's matrices are to be of `kind`."""
    if isinstance(source, GGUFModel):
        return {name: (GGMLType(info.type), info.shape) for name, info in source.tensors.items()}
    shapes = {tensor.name: tensor.shape for tensor in read_tensors(source)}
    return {
        name: (GGMLType.F32 if stays_float32(name, shape) else kind, shape)
        for name, shape in shapes.items()
    }


def read_model(directory: ModelDirectory, kind: GGMLType) -> Model:
    """The model of a small directory in memory: matrices as `kind`, what is small as float32.

    Raises CheckpointError if it takes 1 GB or more, for which there is `motet convert`.
    """
    where = str(directory.path)
    tensors = read_tensors(directory)
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    numbers = from_config(directory.config, shapes, where)
    check_shapes(numbers, shapes, directory.layout.num_channels, where)
    kinds = kinds_of(directory, kind)
    num_bytes = sum(target.num_bytes(shape) for target, shape in kinds.values())
    if num_bytes >= MOST_IN_MEMORY_BYTES:
        raise CheckpointError(
            where, expected=f"less than {MOST_IN_MEMORY_BYTES >> 20} MB of weights",
            got=f"{num_bytes >> 20} MB", fix="make one file of it with motet convert",
        )  # fmt: skip
    weights = {}
    for tensor in tensors:
        target, _ = kinds[tensor.name]
        data, done = np.empty(target.num_bytes(tensor.shape), np.uint8), 0
        for block in quantized(tensor.chunks(), target, tensor.name):
            data[done : done + block.size] = block.reshape(-1)
            done += block.size
        weights[tensor.name] = Weight(target, tensor.shape, data)
    return Model(numbers, directory.layout, weights)
