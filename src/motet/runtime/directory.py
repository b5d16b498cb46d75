"""What a model is read from: a directory, or one GGUF file. Both say the same things of themselves.

a directory   see `motet.formats.directory`: own, published, stock, or the embedded model
a file        see `motet.formats.gguf`
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

from motet.errors import CheckpointError
from motet.formats.config import from_config
from motet.formats.directory import ModelDirectory, read_directory, resolve
from motet.formats.gguf import GGUFModel, read_gguf
from motet.formats.hyperparameters import Hyperparameters, check_shapes
from motet.formats.metadata import read_hyperparameters
from motet.formats.tensors import read_tensors
from motet.streams.codec import StreamCodec

ModelSource: TypeAlias = ModelDirectory | GGUFModel


def find(model: str | Path) -> Path:
    """The file or directory that `model` names; CheckpointError if there is none."""
    path = Path(model)
    try:
        is_file = path.is_file()
    except OSError as error:
        raise CheckpointError("model", expected="a path", got=error.strerror) from None
    return path if is_file else resolve(model)


def read_source(model: str | Path) -> ModelSource:
    """Read everything but weights; a MotetError in one line if the model is unfit."""
    path = find(model)
    return read_gguf(path) if path.is_file() else read_directory(model)


def name_of(source: ModelSource) -> str:
    """What to call a model: by its directory, or by its file without the ending."""
    return source.path.stem if isinstance(source, GGUFModel) else source.name


def codec_of(source: ModelSource) -> StreamCodec:
    """Text to tokens and back, with the model's own tokenizer; TokenizerError if it is unfit."""
    if isinstance(source, GGUFModel):
        return StreamCodec(source.tokenizer(), source.layout, where=str(source.path))
    return StreamCodec.load(source.path, source.layout)


def sizes_of(source: ModelSource, bytes_each: int) -> dict[str, tuple[int, int]]:
    """Numbers and bytes of each tensor of a model, by its name in GGUF files.

    bytes_each: what a number of a directory's tensors is to take; a file's are as they are.
    """
    if isinstance(source, GGUFModel):
        infos = source.tensors.items()
        return {name: (math.prod(info.shape), info.num_bytes) for name, info in infos}
    counts = {tensor.name: math.prod(tensor.shape) for tensor in read_tensors(source)}
    return {name: (count, count * bytes_each) for name, count in counts.items()}


def numbers_of(source: ModelSource) -> Hyperparameters:
    """The numbers that shape a model; CheckpointError if they do not fit its tensors."""
    where = str(source.path)
    if isinstance(source, GGUFModel):
        shapes = {name: info.shape for name, info in source.tensors.items()}
        numbers = read_hyperparameters(source.metadata, shapes, where)
    else:
        shapes = {tensor.name: tensor.shape for tensor in read_tensors(source)}
        numbers = from_config(source.config, shapes, where)
    check_shapes(numbers, shapes, source.layout.num_channels, where)
    return numbers
