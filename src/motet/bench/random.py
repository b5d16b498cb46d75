"""A GGUF file of a known shape with random weights, written as fast as the disk takes it.

What is read and computed is that of a real model of this shape; what it says is noise, and the
file's name and metadata say so. Matrices are normal with deviation 1 / sqrt(inputs), so activations
stay near 1 through any number of layers and every expert is chosen about equally often. To draw
billions of numbers would take minutes: blocks come again and again from a pool of a prime number
of them, so no two rows of a matrix are the same.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.bench.vocabulary import END, byte_tokenizer, channels_layout
from motet.errors import BenchError
from motet.folders import cache_folder
from motet.formats.config import to_config
from motet.formats.convert import new_file, tensor_type
from motet.formats.directory import read_directory
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import LAYOUT_KEY, GGUFModel, read_gguf
from motet.formats.header import Value
from motet.formats.hyperparameters import Hyperparameters
from motet.formats.metadata import write_hyperparameters
from motet.formats.names import EMBEDDING
from motet.formats.quantize import Quant, quantized
from motet.formats.tokenizer_metadata import describe_tokenizer
from motet.formats.writer import NewTensor, write_gguf
from motet.streams.codec import TOKENIZER_FILE

RANDOM_KEY = "motet.random"
_VERSION = 1  # of what is drawn; other files are not taken for these
_POOL_BLOCKS = {1: 4_194_301, 32: 131_071, 64: 65_521, 256: 16_381}
"""Primes, by numbers in a block: about four million numbers a pool."""
_EMBEDDING_DEVIATION = 0.02


class Pool:
    """Random blocks of a ggml type, whose numbers are normal with a given deviation."""

    def __init__(self, kind: GGMLType, deviation: float, dice: np.random.Generator) -> None:
        shape = _POOL_BLOCKS[kind.block_size], kind.block_size
        numbers = dice.standard_normal(shape, np.float32) * np.float32(deviation)
        (self._blocks,) = quantized([numbers], kind, "random")

    def chunks(self, num_blocks: int, start: int) -> Iterator[NDArray[Any]]:
        """So many blocks, from block `start` of the pool on."""
        start %= len(self._blocks)
        while num_blocks:
            chunk = self._blocks[start : start + num_blocks]
            yield chunk
            num_blocks, start = num_blocks - len(chunk), 0


class Weights:
    """The random tensors of a model."""

    def __init__(self, dice: np.random.Generator) -> None:
        self._dice = dice
        self._pools: dict[tuple[GGMLType, float], Pool] = {}

    def tensor(self, name: str, kind: GGMLType, shape: tuple[int, ...]) -> NewTensor:
        """One tensor; norms are 1 and biases 0, so that nothing is tilted."""
        if len(shape) == 1:
            value = 1.0 if name.endswith("norm.weight") else 0.0
            return NewTensor(name, kind, shape, lambda: [np.full(shape, value, np.float32)])
        deviation = _EMBEDDING_DEVIATION if name == EMBEDDING else shape[-1] ** -0.5
        start = int(self._dice.integers(1 << 31))
        num_blocks = kind.num_bytes(shape) // kind.block_bytes
        return NewTensor(name, kind, shape, self._chunks(kind, deviation, num_blocks, start))

    def _chunks(
        self, kind: GGMLType, deviation: float, num_blocks: int, start: int
    ) -> Callable[[], Iterator[NDArray[Any]]]:
        def chunks() -> Iterator[NDArray[Any]]:
            key = kind, deviation
            if key not in self._pools:
                self._pools[key] = Pool(kind, deviation, self._dice)
            return self._pools[key].chunks(num_blocks, start)

        return chunks


def open_random(
    path: Path,
    name: str,
    numbers: Hyperparameters,
    quant: Quant,
    *,
    embedding: Quant | None = None,
    say: Callable[[str], None],
) -> GGUFModel:
    """The file of random weights at `path`, written first if there is none.

    name: of the shape. embedding: type of the token embedding, which is the head too (default: the
    usual one for `quant`). Raises BenchError if something else is there, CheckpointError if the
    disk has no room.
    """
    parts = [name, quant.value, *([f"embedding {embedding}"] if embedding else [])]
    origin = f"{' '.join(parts)}, version {_VERSION}"
    if not path.exists():
        say(f"writing random weights to {path}")
        write_random(path, name, origin, numbers, quant, embedding)
    file = read_gguf(path)
    if file.metadata.get(RANDOM_KEY) != origin:
        raise BenchError(
            str(path), expected=f"random weights of {origin}",
            got=file.metadata.get(RANDOM_KEY, "another model"),
            fix="remove it or name another file",
        )  # fmt: skip
    return file


def with_channels(file: GGUFModel, num_channels: int) -> GGUFModel:
    """The same weights as a model of so many channels."""
    layout = json.dumps(channels_layout(num_channels).to_json())
    return dataclasses.replace(file, metadata={**file.metadata, LAYOUT_KEY: layout})


def cache_file(name: str, quant: Quant, embedding: Quant | None) -> Path:
    """Where the random weights of a shape are kept if no other place is named."""
    ending = f"-embedding-{embedding}" if embedding else ""
    return cache_folder() / "random" / f"{name}-{quant}{ending}.gguf"


def write_random(
    path: Path,
    name: str,
    origin: str,
    numbers: Hyperparameters,
    quant: Quant,
    embedding: Quant | None,
) -> None:
    """Write a file of random weights, whole or not at all. origin: what `RANDOM_KEY` will say."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = Weights(np.random.default_rng(0))
    tensors = [
        weights.tensor(key, tensor_type(key, shape, quant, embedding), shape)
        for key, shape in numbers.shapes().items()
    ]
    metadata: dict[str, Value] = {
        "general.architecture": numbers.architecture.value,
        "general.name": f"RANDOM WEIGHTS in the shape of {name}, no model",
        RANDOM_KEY: origin,
        **write_hyperparameters(numbers),
        **_tokenizer_metadata(numbers),
    }
    with new_file(path, sum(tensor.num_bytes for tensor in tensors)) as file:
        write_gguf(file, metadata, tensors)


def _tokenizer_metadata(numbers: Hyperparameters) -> dict[str, Value]:
    """As conversion writes it for a model directory, which is made for that."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        channels_layout(1).save(folder)
        config = to_config(numbers, tied=True, end=END.id)
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        byte_tokenizer(numbers.vocab_size).save(str(folder / TOKENIZER_FILE))
        return describe_tokenizer(read_directory(folder), numbers.vocab_size)
