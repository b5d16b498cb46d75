"""Weights of a model directory into a `MultiStreamModel`, strictly.

transformers reads and converts the checkpoint (per-expert keys become packed experts). Here is
only what it does not know: the channel embedding, and that a missing or unexpected tensor is an
error and never a random weight.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from motet.errors import CheckpointError
from motet.formats.directory import Kind, ModelDirectory
from motet.formats.tensors import channel_embedding_key, stored_tensors
from motet.runtime.torch.multistream import MODEL_TYPES, MultiStreamModel
from motet.streams.layout import ConvMode, Layout

CHANNEL_EMBEDDING_KEY = "channel_embedding.weight"
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
    stored = stored_tensors(directory.path)
    key = channel_embedding_key(stored, directory) if layout.channel_embedding else None
    base = _load_base(directory, DTYPES[dtype], extra_key=key)
    model = MultiStreamModel(base, layout)
    if key is not None and model.channel_embedding is not None:
        weight_CD = stored[key].read(0, math.prod(stored[key].shape)).reshape(stored[key].shape)
        model.channel_embedding.weight.data.copy_(torch.from_numpy(weight_CD))
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
