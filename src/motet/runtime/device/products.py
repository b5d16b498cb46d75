"""Products with weights that were copied to a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from motet.runtime.device import backends
from motet.runtime.native import ggml
from motet.runtime.native.products import Products


@dataclass(frozen=True)
class DeviceProducts(Products):
    """ggml's products, summed in float32. uploaded: the weights on the device, by name."""

    uploaded: Mapping[str, int] = field(kw_only=True)

    def product(self, a: int, b: int) -> int:
        """ggml's product of `a`, transposed, with `b`."""
        tensor = self.op(ggml.mul_mat, a, b)
        backends.set_precision(tensor, backends.PRECISION_F32)
        return tensor

    def weight(self, name: str) -> int:
        """The weight called `name`, on the device."""
        return self.uploaded[name]
