"""The native runtime: GGUF weights, ggml graphs and own kernels; no PyTorch in the process."""

from motet.runtime.native.operations import KVType
from motet.runtime.native.runtime import NativeRuntime
from motet.runtime.native.state import NativeState
from motet.runtime.native.weights import Model, map_gguf, read_model

__all__ = ["KVType", "Model", "NativeRuntime", "NativeState", "map_gguf", "read_model"]
