"""From the name of a model to an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.engine.engine import Engine
from motet.engine.settings import Sampling
from motet.errors import CheckpointError, SettingError
from motet.runtime.directory import EMBEDDED, read_directory
from motet.runtime.opening import Dtype, RuntimeName, open_runtime
from motet.streams.codec import StreamCodec
from motet.streams.layout import ConvMode


def load(
    model: str | Path = EMBEDDED,
    *,
    runtime: str = RuntimeName.AUTO,
    dtype: str = Dtype.FLOAT32,
    conv_mode: str | None = None,
) -> Engine[Any]:
    """Open a model: `motet-tiny`, the embedded one, or a model directory.

    runtime: `auto` or `torch`. dtype: `float32`, `bfloat16` or `float16`. conv_mode: `column` or
    `row_boundary`, in place of what the model's layout says. Raises a MotetError that says what
    is wrong with the model or the choice.
    """
    directory = read_directory(model)
    try:
        name, precision = RuntimeName(runtime), Dtype(dtype)
        mode = None if conv_mode is None else ConvMode(conv_mode)
    except ValueError as error:
        raise SettingError(
            "load", expected="a known runtime, dtype and conv mode", got=error
        ) from None
    codec = StreamCodec.load(directory.path, directory.layout)
    loaded = open_runtime(directory, name, dtype=precision, conv_mode=mode)
    if codec.vocab_size > loaded.vocab_size:
        raise CheckpointError(
            f"{directory.path}: tokenizer", expected=f"at most {loaded.vocab_size} tokens",
            got=codec.vocab_size, fix="use the tokenizer that belongs to the model",
        )  # fmt: skip
    return Engine(directory.name, loaded, codec, _sampling(directory.sampling))


def _sampling(recommended: dict[str, float]) -> Sampling:
    knobs: dict[str, Any] = dict(recommended)
    top_k = knobs.get("top_k")
    if isinstance(top_k, float) and top_k.is_integer():
        knobs["top_k"] = int(top_k)
    return Sampling(**knobs)
