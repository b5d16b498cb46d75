"""The weights of a model directory as a GGUF file names and shapes them, without PyTorch.

A tensor of the source is a list of spans: runs of rows that lie together in a checkpoint. So
stacking experts, taking gate and up apart and reordering the rows of a head are all the same
thing, and nothing larger than one chunk of rows is ever in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.config import is_tied
from motet.formats.directory import ModelDirectory
from motet.formats.names import CHANNEL_EMBEDDING, HEAD, Place, places
from motet.formats.safetensor_file import StoredTensor, read_safetensors

WEIGHTS_FILE = "model.safetensors"
CHUNK_BYTES = 1 << 24
_TABLE = "rotary_emb.inv_freq"  # in old checkpoints; computed, not a weight


@dataclass(frozen=True)
class Span:
    """`num_rows` rows of a stored tensor, from number `start` of its flattened form on."""

    stored: StoredTensor
    start: int
    num_rows: int


@dataclass(frozen=True)
class SourceTensor:
    """One tensor to be written. shape: slowest dimension first; a row is its last dimension.

    dtype: the precision that it is stored in, F32, F16 or BF16.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    spans: tuple[Span, ...]

    def chunks(self, max_bytes: int = CHUNK_BYTES) -> Iterator[NDArray[np.float32]]:
        """All rows in order, as blocks [n, width] of at most `max_bytes` (or one row)."""
        width, total = self.shape[-1], math.prod(self.shape[:-1])
        most = max(1, max_bytes // (4 * width))
        parts: list[NDArray[np.float32]] = []
        held = 0
        for span in self.spans:
            done = 0
            while done < span.num_rows:
                count = min(span.num_rows - done, most - held)
                parts.append(span.stored.read(span.start + done * width, count * width))
                done, held, total = done + count, held + count, total - count
                if held == most or total == 0:
                    yield np.concatenate(parts).reshape(held, width)
                    parts, held = [], 0


def read_tensors(directory: ModelDirectory) -> list[SourceTensor]:
    """All tensors of a model directory, in the order in which llama.cpp writes them.

    A head that is tied to the token embedding is left out; the channel embedding, if the layout
    has one, is `channel_embd.weight`. Raises CheckpointError if a file is broken, a tensor has a
    key that no architecture knows, or experts of a layer are missing or differ in shape.
    """
    path, config = directory.path, directory.config
    tied = is_tied(config)
    stored = stored_tensors(path)
    channel_key = (
        channel_embedding_key(stored, directory) if directory.layout.channel_embedding else None
    )
    parts: dict[str, list[tuple[Place, StoredTensor]]] = {}
    for key, tensor in stored.items():
        found = [Place(CHANNEL_EMBEDDING)] if key == channel_key else places(key)
        if not found and not key.endswith(_TABLE):
            raise CheckpointError(f"{path}: tensor {key}", expected="a known key", got="another")
        for place in found:
            if not (tied and place.name == HEAD):
                parts.setdefault(place.name, []).append((place, tensor))
    tensors = [_joined(name, parts[name], path) for name in sorted(parts, key=_file_order)]
    if config.get("model_type") == "llama":
        tensors = [_interleaved(tensor, config) for tensor in tensors]
    return tensors


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors in the safetensors files of the directory `path`, by key."""
    tensors: dict[str, StoredTensor] = {}
    for file in _weight_files(path):
        for key, tensor in read_safetensors(file).items():
            if key in tensors:
                raise CheckpointError(f"{path}: tensor {key}", expected="to be in one file only")
            tensors[key] = tensor
    return tensors


def channel_embedding_key(stored: Mapping[str, StoredTensor], directory: ModelDirectory) -> str:
    """Key of the one tensor of shape [C, D] that is named after channels or streams."""
    wanted = (directory.layout.num_channels, directory.config.get("hidden_size"))
    named = {
        k: t.shape for k, t in stored.items() if "channel" in k.lower() or "stream" in k.lower()
    }
    found = sorted(key for key, shape in named.items() if shape == wanted)
    if len(found) != 1:
        raise CheckpointError(
            f"{directory.path}: channel embedding",
            expected=f"one tensor of shape {list(wanted)} named after channels or streams",
            got=", ".join(found) or f"none (named so: {named})",
        )
    return found[0]


def _weight_files(path: Path) -> list[Path]:
    if (single := path / WEIGHTS_FILE).exists():
        return [single]
    index = path / f"{WEIGHTS_FILE}.index.json"
    if not index.exists():
        raise CheckpointError("weights", expected=str(single), got="no such file")
    try:
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        inside = all(Path(name).name == name for name in names)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointError(str(index), expected="a weight index", got=error) from None
    if not inside:
        raise CheckpointError(str(index), expected="names of files beside it", got=sorted(names))
    return [path / name for name in sorted(names)]


def _joined(name: str, parts: list[tuple[Place, StoredTensor]], path: Path) -> SourceTensor:
    """One tensor of the file from all that the checkpoint has for it."""
    where = f"{path}: {name}"
    place, first = parts[0]
    if place.expert is None:
        if len(parts) > 1:
            raise CheckpointError(where, expected="one tensor", got=f"{len(parts)}")
        return _whole(name, place, first, where)
    by_expert = {place.expert or 0: tensor for place, tensor in parts}
    if sorted(by_expert) != list(range(len(parts))) or len({t.shape for _, t in parts}) > 1:
        raise CheckpointError(
            where, expected=f"experts 0 to {len(parts) - 1}, all of one shape",
            got=f"experts {sorted(by_expert)} of shapes {sorted({t.shape for _, t in parts})}",
        )  # fmt: skip
    if len(first.shape) != 2:
        raise CheckpointError(where, expected="matrices", got=f"shape {list(first.shape)}")
    spans = tuple(Span(by_expert[j], 0, first.shape[0]) for j in range(len(parts)))
    return SourceTensor(name, (len(parts), *first.shape), first.dtype, spans)


def _whole(name: str, place: Place, stored: StoredTensor, where: str) -> SourceTensor:
    shape = stored.shape
    if name.endswith("shortconv.conv.weight") and len(shape) == 3 and shape[1] == 1:
        shape = (shape[0], shape[2])  # [D, 1, W]: a kernel per channel of width
    if 0 in shape or not 1 <= len(shape) <= 3:
        raise CheckpointError(where, expected="1 to 3 dimensions", got=f"shape {list(shape)}")
    num_rows, width = math.prod(shape[:-1]), shape[-1]
    if place.half is None:
        return SourceTensor(name, shape, stored.dtype, (Span(stored, 0, num_rows),))
    if len(shape) != 3 or shape[1] % 2:
        raise CheckpointError(where, expected="[E, 2F, D]", got=f"shape {list(shape)}")
    E, F = shape[0], shape[1] // 2
    starts = [(2 * j + place.half) * F * width for j in range(E)]
    spans = tuple(Span(stored, start, F) for start in starts)
    return SourceTensor(name, (E, F, width), stored.dtype, spans)


def _interleaved(tensor: SourceTensor, config: Mapping[str, Any]) -> SourceTensor:
    """Rows of a `llama` query or key projection in the order in which llama.cpp turns them.

    transformers turns row i of a head together with row i + K/2, llama.cpp neighbours.
    """
    kind = tensor.name.rpartition(".attn_")[2]
    if kind not in ("q.weight", "k.weight"):
        return tensor
    heads = config.get("num_attention_heads")
    if kind == "k.weight":
        heads = config.get("num_key_value_heads") or heads
    num_rows, width = tensor.shape
    if type(heads) is not int or heads < 1 or num_rows % (2 * heads):
        raise CheckpointError(
            tensor.name, expected="an even number of rows for each head",
            got=f"{num_rows} rows, {heads} heads",
        )  # fmt: skip
    rows = np.arange(num_rows).reshape(heads, 2, -1).swapaxes(1, 2).ravel()
    stored = tensor.spans[0].stored
    spans = tuple(Span(stored, int(row) * width, 1) for row in rows)
    return SourceTensor(tensor.name, tensor.shape, tensor.dtype, spans)


def _file_order(name: str) -> tuple[int, int, str]:
    """Embeddings, then block by block, then the head; any order would do for a reader."""
    if name.startswith("blk."):
        return 1, int(name.split(".")[1]), name
    return (2 if name.startswith("output") else 0), 0, name
