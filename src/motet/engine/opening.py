"""From the name of a model to an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from motet.engine.engine import Engine
from motet.engine.settings import Sampling
from motet.errors import CheckpointError, SettingError
from motet.formats.chat import read_chat_format
from motet.formats.directory import EMBEDDED
from motet.runtime.directory import ModelSource, codec_of, name_of, read_source
from motet.runtime.opening import CacheType, Dtype, RuntimeName, open_runtime
from motet.streams.layout import ConvMode


def load(
    model: str | Path = EMBEDDED,
    *,
    runtime: str = RuntimeName.AUTO,
    dtype: str | None = None,
    conv_mode: str | None = None,
    cache: str | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Engine[Any]:
    """Open a model: `motet-tiny`, the embedded one, a model directory, or a GGUF file.

    runtime: `auto`, `native` or `torch`. dtype: `float32` (the default), `bfloat16` or `float16`,
    for a directory; a file's weights are as they are. conv_mode: `column` or `row_boundary`, in
    place of what the model's layout says. cache: `f16` (the default), `f32` or `q8_0`, and threads
    (default: all cores), for the native runtime. device: where the native runtime computes, such as
    `gpu` or `Vulkan0`, in place of our own kernels on the processor. Raises a MotetError that says
    what is wrong with the model or the choice.
    """
    source = read_source(model)
    try:
        name = RuntimeName(runtime)
        precision = None if dtype is None else Dtype(dtype)
        mode = None if conv_mode is None else ConvMode(conv_mode)
        cache_type = None if cache is None else CacheType(cache)
    except ValueError as error:
        raise SettingError(
            "load", expected="a known runtime, dtype, conv mode and cache", got=error
        ) from None
    codec = codec_of(source)
    loaded = open_runtime(
        source, name, dtype=precision, conv_mode=mode, cache=cache_type, threads=threads,
        device=device,
    )  # fmt: skip
    if codec.vocab_size > loaded.vocab_size:
        raise CheckpointError(
            f"{source.path}: tokenizer", expected=f"at most {loaded.vocab_size} tokens",
            got=codec.vocab_size, fix="use the tokenizer that belongs to the model",
        )  # fmt: skip
    chat = read_chat_format(source)
    return Engine(name_of(source), loaded, codec, recommended_sampling(source), chat=chat)


def recommended_sampling(source: ModelSource) -> Sampling:
    """The sampling that a model's authors recommend; what they say nothing of is as usual."""
    knobs: dict[str, Any] = dict(source.sampling)
    top_k = knobs.get("top_k")
    if isinstance(top_k, float) and top_k.is_integer():
        knobs["top_k"] = int(top_k)
    return Sampling(**knobs)
