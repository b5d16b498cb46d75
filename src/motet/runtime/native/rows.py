"""Attention and short conv by our own kernels, which find the sessions in the call's table."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass

from motet.runtime.native.builder import Builder
from motet.runtime.native.kernels import best_level
from motet.runtime.native.operations import Call, KVType, RowsAttention, RowsConv
from motet.runtime.native.weights import Model, Weight
from motet.streams.layout import ConvMode


@dataclass(frozen=True)
class KernelMixing:
    """A `Mixing` of custom operations. taps: of each conv layer, [W, D]."""

    model: Model
    taps: Mapping[int, Weight]
    call: Call
    kv_type: KVType
    build: Builder

    def attend(self, q: int, k: int, v: int, T: int, index: int) -> int:
        """See `Mixing`."""
        numbers = self.model.hyperparameters
        H, G, K = numbers.num_heads, max(numbers.num_kv_heads), numbers.head_width
        rows = RowsAttention(
            call=ctypes.addressof(self.call), H=H, G=G, K=K, C=self.model.layout.num_channels,
            layer=index, kv_type=self.kv_type, scale=K**-0.5,
            level=best_level().address,
        )  # fmt: skip
        stored = self.build.custom("motet_rows_store", rows, (1,), {"k": k, "v": v})
        return self.build.custom(
            "motet_rows_attend", rows, (T, H * K), {"q": q}, after=[stored], result="out"
        )

    def convolve(self, bcx: int, T: int, layer: int, index: int) -> int:
        """See `Mixing`."""
        numbers, layout = self.model.hyperparameters, self.model.layout
        rows = RowsConv(
            call=ctypes.addressof(self.call), D=numbers.width, W=numbers.conv_width,
            C=layout.num_channels, layer=index, num_layers=numbers.num_kv_heads.count(0),
            row_boundary=layout.conv_mode is ConvMode.ROW_BOUNDARY,
        )  # fmt: skip
        taps = self.build.weight(self.taps[layer])
        return self.build.custom(
            "motet_rows_conv", rows, (T, numbers.width), {"bcx": bcx, "taps": taps}, result="out"
        )
