"""A GGUF file becomes a model directory again: own if it carries a layout, else stock.

The directory is what `motet.load`, PyTorch and transformers read: config.json, layout.json,
tokenizer.json, generation_config.json, chat_template.jinja and model.safetensors under the keys of
the architecture's own checkpoints. Quantised numbers come back as what they stand for, which is not
what they were before they were quantised.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.config import to_config
from motet.formats.convert import check_target
from motet.formats.dequantize import CHUNK_BYTES, read_rows
from motet.formats.ends import ENDS_KEY, ends_of_file
from motet.formats.gguf import LAYOUT_KEY, GGUFModel, read_gguf
from motet.formats.header import TensorInfo
from motet.formats.hyperparameters import Architecture
from motet.formats.names import HEAD, ROPE_FACTORS, keys_of
from motet.formats.quantize import float16
from motet.formats.tensors import WEIGHTS_FILE
from motet.formats.tokenizer_metadata import CHAT_TEMPLATE, TEMPLATE_FILE
from motet.formats.vocabulary import HUGGINGFACE_KEY
from motet.formats.writer import Advance
from motet.streams.codec import TOKENIZER_FILE


class Stored(StrEnum):
    """What the weights of a directory are stored as."""

    F16 = "f16"
    F32 = "f32"

    @property
    def num_bytes(self) -> int:
        """Bytes of one number."""
        return 2 if self is Stored.F16 else 4


def restore(
    source: str | Path, target: str | Path, stored: Stored, *, advance: Advance | None = None
) -> None:
    """Write the GGUF file `source` as the model directory `target`, whole or not at all.

    advance: told the bytes of each chunk of weights. Raises CheckpointError if the file is unfit,
    or holds a RoPE table, which a configuration can't say.
    """
    target = Path(target)
    model = read_gguf(source)
    if ROPE_FACTORS in model.tensors:
        raise CheckpointError(
            f"{source}: {ROPE_FACTORS}", expected="the usual RoPE", got="a table of factors"
        )
    files = _json_files(model, stored)
    check_target(target, num_weight_bytes(model, stored))
    folder = Path(tempfile.mkdtemp(prefix=f"{target.name}.", suffix=".partial", dir=target.parent))
    try:
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
        with (folder / WEIGHTS_FILE).open("wb") as file:
            _write_weights(file, model, stored, advance)
        folder.chmod(0o755)
        folder.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def num_weight_bytes(model: GGUFModel, stored: Stored) -> int:
    """Bytes of all weights of a directory."""
    return sum(_num_numbers(info) * stored.num_bytes for info in model.tensors.values())


def _json_files(model: GGUFModel, stored: Stored) -> dict[str, str]:
    """Everything but the weights: texts by file name."""
    layout, sampling = model.layout, model.sampling
    end = None if layout.end is None else layout.end.id
    config = to_config(model.hyperparameters, tied=HEAD not in model.tensors, end=end)
    config["dtype"] = "float16" if stored is Stored.F16 else "float32"
    ends = ends_of_file(model.metadata) if ENDS_KEY in model.metadata else ()
    generation: dict[str, Any] = {"eos_token_id": list(ends) if len(ends) > 1 else end}
    if sampling.get("temperature") == 0:
        generation["do_sample"] = False
    generation |= {
        key: value for key, value in sampling.items() if (key, value) != ("temperature", 0)
    }
    tokenizer = model.metadata.get(HUGGINGFACE_KEY)
    files = {
        "config.json": _pretty(config),
        "generation_config.json": _pretty(generation),
        TOKENIZER_FILE: tokenizer if isinstance(tokenizer, str) else model.tokenizer().to_str(),
    }
    if LAYOUT_KEY in model.metadata:
        files["layout.json"] = _pretty(layout.to_json())
    if isinstance(template := model.metadata.get(CHAT_TEMPLATE), str):
        files[TEMPLATE_FILE] = template
    return files


def _write_weights(
    file: BinaryIO, model: GGUFModel, stored: Stored, advance: Advance | None
) -> None:
    """A safetensors file: its header, then the numbers in the order of the header."""
    numbers = model.hyperparameters
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for info in model.tensors.values():
        keys = keys_of(info.name, numbers.num_experts, is_lfm2=numbers.has_conv)
        shape = info.shape[1:] if len(info.shape) == 3 else info.shape
        if info.name.endswith("shortconv.conv.weight"):
            shape = (shape[0], 1, shape[1])
        size = _num_numbers(info) * stored.num_bytes // len(keys)
        for key in keys:
            offsets = [offset, offset + size]
            header[key] = {"dtype": stored.upper(), "shape": shape, "data_offsets": offsets}
            offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for info in model.tensors.values():
        for chunk in _rows(model, info):
            data = float16(chunk, info.name) if stored is Stored.F16 else chunk
            file.write(data.data)
            if advance is not None:
                advance(data.nbytes)


def _rows(model: GGUFModel, info: TensorInfo) -> Iterator[NDArray[np.float32]]:
    """The rows of a tensor in the order of a checkpoint (see `tensors`, which does the reverse)."""
    numbers = model.hyperparameters
    is_turned = info.name.endswith(("attn_q.weight", "attn_k.weight"))
    if numbers.architecture is not Architecture.LLAMA or not is_turned:
        yield from read_rows(model.path, info, CHUNK_BYTES)
        return
    head_bytes = 4 * info.shape[-1] * numbers.head_width
    for head in read_rows(model.path, info, head_bytes):
        yield np.concatenate([head[0::2], head[1::2]])


def _num_numbers(info: TensorInfo) -> int:
    return int(np.prod(info.shape, dtype=np.int64))


def _pretty(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
