"""A model directory becomes one GGUF file, streaming: no tensor is ever in memory as a whole.

What a matrix is written as:

    matrices and experts      the type that was asked for
    token embedding and head  q6_k for iq4_xs, q4_k and q5_k, q8_0 for q4_0 (they are one tensor in
                              most models, and the logits feel its errors most), else the same type
    norms, conv taps, router,
    biases, channel embedding F32, as llama.cpp does
    rows that the type's blocks do not divide   q8_0 if blocks of 32 do, else f16

The file says what llama.cpp needs to open a one-channel model, and holds the layout, the whole
tokenizer, the chat template and the recommended sampling besides.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from motet.errors import CheckpointError
from motet.formats.config import from_config
from motet.formats.directory import Kind, ModelDirectory, read_directory
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import LAYOUT_KEY, SAMPLING_KEY
from motet.formats.header import Value
from motet.formats.hyperparameters import check_shapes
from motet.formats.metadata import write_hyperparameters
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD
from motet.formats.quantize import Quant, quantized
from motet.formats.tensors import SourceTensor, read_tensors
from motet.formats.tokenizer_metadata import describe_tokenizer
from motet.formats.writer import Advance, NewTensor, write_gguf

_EMBEDDINGS = {
    Quant.IQ4_XS: Quant.Q6_K, Quant.Q4_K: Quant.Q6_K, Quant.Q5_K: Quant.Q6_K,
    Quant.Q4_0: Quant.Q8_0,
}  # fmt: skip
_KEPT = ("shortconv.conv.weight", "ffn_gate_inp.weight", CHANNEL_EMBEDDING)
_FILE_TYPES = {  # general.file_type of llama.cpp: what most tensors are
    Quant.F32: 0, Quant.F16: 1, Quant.Q4_0: 2, Quant.Q8_0: 7, Quant.Q4_K: 14, Quant.Q5_K: 16,
    Quant.Q6_K: 18, Quant.IQ4_XS: 30, Quant.BF16: 32,
}  # fmt: skip
_QUANTIZATION_VERSION = 2


@dataclass(frozen=True)
class Conversion:
    """A file that is about to be written: everything is checked but the weights themselves."""

    metadata: dict[str, Value]
    tensors: list[NewTensor]

    @property
    def num_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.num_bytes for tensor in self.tensors)

    def write(self, file: BinaryIO, advance: Advance | None = None) -> None:
        """Write it to a file that is at its start; `advance` is told the bytes of each chunk."""
        write_gguf(file, self.metadata, self.tensors, advance)


def plan(directory: ModelDirectory, quant: Quant, *, embedding: Quant | None = None) -> Conversion:
    """The GGUF file of a model directory. embedding: type of the token embedding and head.

    Raises CheckpointError, LayoutError or TokenizerError if the directory is unfit.
    """
    where = str(directory.path)
    tensors = read_tensors(directory)
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    numbers = from_config(directory.config, shapes, where)
    check_shapes(numbers, shapes, directory.layout.num_channels, where)
    metadata: dict[str, Value] = {
        "general.architecture": numbers.architecture.value,
        "general.type": "model",
        "general.name": directory.name,
        "general.file_type": _FILE_TYPES[quant],
        "general.quantization_version": _QUANTIZATION_VERSION,
        **write_hyperparameters(numbers),
    }
    if directory.kind is not Kind.STOCK:
        metadata[LAYOUT_KEY] = json.dumps(directory.layout.to_json(), ensure_ascii=False)
    if directory.sampling:
        metadata[SAMPLING_KEY] = json.dumps(directory.sampling)
    metadata |= describe_tokenizer(directory, numbers.vocab_size)
    return Conversion(metadata, [_new(tensor, quant, embedding) for tensor in tensors])


def convert(
    source: str | Path,
    target: str | Path,
    quant: Quant,
    *,
    embedding: Quant | None = None,
    advance: Advance | None = None,
) -> None:
    """Write the model directory `source` as the GGUF file `target`, whole or not at all."""
    target = Path(target)
    conversion = plan(read_directory(source), quant, embedding=embedding)
    with new_file(target, conversion.num_bytes) as file:
        conversion.write(file, advance)


@contextmanager
def new_file(target: Path, num_bytes: int) -> Iterator[BinaryIO]:
    """A file that gets the name `target` when all is written, and vanishes if anything fails.

    Raises CheckpointError if there is something at `target` already, or no room for `num_bytes`.
    """
    check_target(target, num_bytes)
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".partial", dir=target.parent)
    partial_path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        partial_path.chmod(0o666 & ~_umask())
        partial_path.replace(target)
    finally:
        partial_path.unlink(missing_ok=True)


def check_target(target: Path, num_bytes: int) -> None:
    """CheckpointError unless `num_bytes` can be written to a new `target`."""
    if target.exists():
        raise CheckpointError(
            "target", expected="a path where nothing is yet", got=repr(str(target)),
            fix="name another one or remove it",
        )  # fmt: skip
    if not target.parent.is_dir():
        raise CheckpointError("target", expected="a folder that exists", got=str(target.parent))
    free = shutil.disk_usage(target.parent).free
    if free < num_bytes:
        raise CheckpointError(
            f"disk of {target.parent}", expected=f"room for {num_bytes:,} bytes", got=f"{free:,}"
        )


def tensor_type(
    name: str, shape: tuple[int, ...], quant: Quant, embedding: Quant | None = None
) -> GGMLType:
    """What a tensor is written as in a file of `quant`, by the table above."""
    if len(shape) == 1 or name.endswith(_KEPT):
        return GGMLType.F32
    if name in (EMBEDDING, HEAD):
        quant = embedding or _EMBEDDINGS.get(quant, quant)
    for kind in (quant.type, GGMLType.Q8_0):
        if shape[-1] % kind.block_size == 0:
            return kind
    return GGMLType.F16


def _new(tensor: SourceTensor, quant: Quant, embedding: Quant | None) -> NewTensor:
    kind = tensor_type(tensor.name, tensor.shape, quant, embedding)
    chunks = lambda: quantized(tensor.chunks(), kind, tensor.name)  # noqa: E731
    return NewTensor(tensor.name, kind, tensor.shape, chunks)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
