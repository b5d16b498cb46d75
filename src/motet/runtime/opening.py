"""The one place that knows which runtimes exist."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from motet.errors import SettingError
from motet.runtime.directory import ModelDirectory
from motet.runtime.protocol import Runtime
from motet.streams.layout import ConvMode


class RuntimeName(StrEnum):
    """A runtime that can be asked for by name; `auto` takes the best one installed."""

    AUTO = "auto"
    TORCH = "torch"


class Dtype(StrEnum):
    """Precision that weights are held and computed in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def open_runtime(
    directory: ModelDirectory,
    name: RuntimeName = RuntimeName.AUTO,
    *,
    dtype: Dtype = Dtype.FLOAT32,
    conv_mode: ConvMode | None = None,
) -> Runtime[Any]:
    """The model of `directory` in the runtime called `name`.

    Raises SettingError if that runtime is not installed, CheckpointError if the model is unfit.
    """
    try:
        from motet.runtime.torch import TorchRuntime
        from motet.runtime.torch.checkpoint import load_model
    except ModuleNotFoundError as error:
        raise _not_installed(name, error) from None
    return TorchRuntime(load_model(directory, dtype=dtype.value, conv_mode=conv_mode))


def weight_shapes(directory: ModelDirectory) -> dict[str, list[int]]:
    """Shapes of a model's tensors, without loading them."""
    try:
        from motet.runtime.torch.checkpoint import tensor_shapes
    except ModuleNotFoundError as error:
        raise _not_installed(RuntimeName.TORCH, error) from None
    return tensor_shapes(directory.path)


def _not_installed(name: RuntimeName, error: ModuleNotFoundError) -> SettingError:
    return SettingError(
        f"runtime {name.value}", expected="PyTorch and transformers", got=f"no {error.name}",
        fix="install motet[torch]",
    )  # fmt: skip
