"""The torch runtime: transformers models made multi-stream; training, GPUs, and the oracle."""

from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.runtime import TorchRuntime
from motet.runtime.torch.state import TorchState

__all__ = ["MultiStreamModel", "TorchRuntime", "TorchState"]
