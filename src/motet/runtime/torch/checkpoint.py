"""Weights of a model directory into a `MultiStreamModel`, strictly.

transformers reads and converts the checkpoint (per-expert keys become packed experts). Here is
only what it does not know: the channel embedding, and that a missing or unexpected tensor is an
error and never a random weight.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from motet.errors import CheckpointError
from motet.runtime.directory import Kind, ModelDirectory
from motet.runtime.torch.multistream import MODEL_TYPES, MultiStreamModel
from motet.streams.layout import ConvMode, Layout

CHANNEL_EMBEDDING_KEY = "channel_embedding.weight"
WEIGHTS_FILE = "model.safetensors"
_UNFIT = (  # what transformers raises for a config or weights that make no sense
    SafetensorError, StrictDataclassError, OSError, ValueError, LookupError, TypeError,
    AttributeError, ArithmeticError,
)  # fmt: skip
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(
    directory: ModelDirectory, *, dtype: str = "float32", conv_mode: ConvMode | None = None
) -> MultiStreamModel:
    """The model of `directory`; `conv_mode` overrides what its layout says.

    Raises CheckpointError if weights are missing, truncated, unexpected or of another shape.
    """
    layout = directory.layout
    if conv_mode is not None:
        layout = dataclasses.replace(layout, conv_mode=conv_mode)
    shapes = tensor_shapes(directory.path)
    key = _channel_embedding_key(shapes, directory) if layout.channel_embedding else None
    base = _load_base(directory, DTYPES[dtype], extra_key=key)
    model = MultiStreamModel(base, layout)
    if key is not None and model.channel_embedding is not None:
        weight = _read_tensor(directory.path, key)
        model.channel_embedding.weight.data.copy_(weight)
    return model


def load_base_for(
    directory: ModelDirectory, layout: Layout, *, dtype: str = "float32"
) -> MultiStreamModel:
    """A stock model turned into one of `layout`, with a fresh channel embedding, for training."""
    if directory.kind is not Kind.STOCK:
        raise CheckpointError(
            "base model", expected="a stock checkpoint", got=f"{directory.kind} with a layout"
        )
    return MultiStreamModel(_load_base(directory, DTYPES[dtype], extra_key=None), layout)


def save_model(model: MultiStreamModel, directory: Path) -> None:
    """Write weights, config and layout as an own model directory (without a tokenizer)."""
    state = dict(model.base.state_dict())
    if model.channel_embedding is not None:
        state[CHANNEL_EMBEDDING_KEY] = model.channel_embedding.weight.detach()
    with _quiet():
        model.base.save_pretrained(directory, state_dict=state)
    model.layout.save(directory)


def tensor_shapes(path: Path) -> dict[str, list[int]]:
    """Shapes of all tensors in a directory's safetensors files, by key."""
    shapes = {}
    for file in _weight_files(path):
        with _open(file) as tensors:
            for key in tensors.keys():  # noqa: SIM118 - not a dict
                shapes[key] = list(tensors.get_slice(key).get_shape())
    return shapes


def _weight_files(path: Path) -> list[Path]:
    if (single := path / WEIGHTS_FILE).exists():
        return [single]
    index = path / f"{WEIGHTS_FILE}.index.json"
    if not index.exists():
        raise CheckpointError("weights", expected=str(single), got="no such file")
    try:
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        missing = sorted(name for name in names if not (path / name).exists())
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(str(index), expected="a weight index", got=error) from None
    if missing:
        raise CheckpointError("weights", expected=", ".join(missing), got="no such file")
    return [path / name for name in sorted(names)]


def _open(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            str(file), expected="a whole safetensors file", got=error, fix="fetch it again"
        ) from None


def _read_tensor(path: Path, key: str) -> Tensor:
    for file in _weight_files(path):
        with _open(file) as tensors:
            if key in tensors.keys():  # noqa: SIM118 - not a dict
                tensor: Tensor = tensors.get_tensor(key)
                return tensor
    raise CheckpointError(f"tensor {key}", expected="to be in the weights", got="none")


def _channel_embedding_key(shapes: dict[str, list[int]], directory: ModelDirectory) -> str:
    """The one tensor of shape [C, D] that is named after channels or streams."""
    wanted = [directory.layout.num_channels, directory.config.get("hidden_size")]
    named = {k: s for k, s in shapes.items() if "channel" in k.lower() or "stream" in k.lower()}
    found = sorted(key for key, shape in named.items() if shape == wanted)
    if len(found) != 1:
        raise CheckpointError(
            f"{directory.path}: channel embedding",
            expected=f"one tensor of shape {wanted} named after channels or streams",
            got=", ".join(found) or f"none (named so: {named})",
        )
    return found[0]


def _load_base(directory: ModelDirectory, dtype: torch.dtype, extra_key: str | None) -> Any:
    path = directory.path
    if directory.config.get("model_type") not in MODEL_TYPES:
        raise CheckpointError(
            f"{path}: model type", expected=" or ".join(MODEL_TYPES),
            got=repr(directory.config.get("model_type")),
        )  # fmt: skip
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True)
        with _quiet():
            model, info = AutoModelForCausalLM.from_pretrained(
                path, config=config, dtype=dtype, local_files_only=True, use_safetensors=True,
                output_loading_info=True, ignore_mismatched_sizes=True, trust_remote_code=False,
            )  # fmt: skip
    except RuntimeError:
        raise CheckpointError(
            f"{path}: tensors", expected="those of its config",
            got="expert tensors that are missing or of another shape",
        ) from None  # fmt: skip
    except _UNFIT as error:
        raise CheckpointError(str(path), expected="a transformers checkpoint", got=error) from None
    wrong = {
        "missing": set(info["missing_keys"]),
        "unexpected": set(info["unexpected_keys"]) - {extra_key},
        "of another shape": {key for key, *_ in info["mismatched_keys"]},
    }
    if any(wrong.values()):
        got = "; ".join(f"{what}: {_few(keys)}" for what, keys in wrong.items() if keys)
        raise CheckpointError(f"{path}: tensors", expected="those of its config", got=got)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bars and load report: what it finds becomes an error here."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()


def _few(keys: set[str]) -> str:
    names = sorted(keys)
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
