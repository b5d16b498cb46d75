"""Grids read from their first row: what training and scoring do.

Attention goes block of rows by block of rows, so that rows to come cost nothing and the mask is
that of one block, the same for all of them but for what lies before:

    keys        rows of earlier blocks | rows of this block
    queries     all visible            | block-causal          [block, S], shared by all layers

No mask of all cells by all cells exists, neither here nor on the way from the data.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from motet.runtime.torch.conversations import Conversations
from motet.runtime.torch.shortconv import short_conv
from motet.runtime.torch.streams import Streams, attention, block_causal_mask
from motet.streams.layout import ConvMode

BLOCK_CELLS = 512

_GROUPS_UNDER_A_MASK = ("cpu",)
"""Devices whose fused kernel takes grouped heads and a mask at once; others take one of them."""


class WholeGrids(Streams):
    """Grids [B, R, C] read from their first row, all of the same number of rows.

    Shorter grids are padded at the end: a padded row is seen by no earlier row. conversations:
    the number of the conversation that each row of a line belongs to (see `Conversations`); each
    is read as if it were alone. channels_BC: which channels the columns are, if not all in order.
    """

    def __init__(
        self,
        B: int,
        R: int,
        C: int,
        conv_mode: ConvMode,
        device: torch.device,
        *,
        conversations: Conversations | None = None,
        channels_BC: Tensor | None = None,
        block_cells: int = BLOCK_CELLS,
    ) -> None:
        self._shape = (B, R, C)
        self._conv_mode = conv_mode
        self.channels_BC = channels_BC
        self._packed = None if conversations is None or conversations.are_alone else conversations
        rows_BR = torch.arange(R, device=device).expand(B, -1)
        if self._packed is not None:
            rows_BR = self._packed.rows_BR
        self._positions_BT = rows_BR.repeat_interleave(C, dim=1)
        self._block_rows = max(1, block_cells // C)
        self._last_block = (R - 1) // self._block_rows * self._block_rows
        num_rows = min(R, self._block_rows)
        self._mask_TS = block_causal_mask(self._last_block, num_rows, C, device)
        self._added_TS: Tensor | None = None

    @property
    def positions_BT(self) -> Tensor:
        """See `Streams`."""
        return self._positions_BT

    def attend(
        self, layer: int, q_BHTK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, scale: float
    ) -> Tensor:
        """See `Streams`."""
        _, R, C = self._shape
        if self._packed is None:
            return self._attend_each(q_BHTK, k_BGTK, v_BGTK, scale)

        def attend(*qkv_NLCHK: Tensor) -> Tensor:
            q, k, v = (x.flatten(1, 2).transpose(1, 2) for x in qkv_NLCHK)
            out_NLCHK: Tensor = self._attend_each(q, k, v, scale).unflatten(1, (-1, C))
            return out_NLCHK

        cells = (x.transpose(1, 2).unflatten(1, (R, C)) for x in (q_BHTK, k_BGTK, v_BGTK))
        return self._packed.mix(attend, *cells).flatten(1, 2)

    def _attend_each(self, q_BHTK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, scale: float) -> Tensor:
        """Attention of grids that stand alone, of at most R rows; [B, T, H, K]."""
        C = self._shape[2]
        if q_BHTK.device.type not in _GROUPS_UNDER_A_MASK:
            num_sharing = q_BHTK.shape[1] // k_BGTK.shape[1]
            k_BGTK, v_BGTK = (x.repeat_interleave(num_sharing, 1) for x in (k_BGTK, v_BGTK))
        if C == 1:
            return _causal(q_BHTK, k_BGTK, v_BGTK, scale)
        added_TS = self._added(q_BHTK.dtype)
        num_rows, outputs = q_BHTK.shape[2] // C, []
        for first in range(0, num_rows, self._block_rows):
            last = min(first + self._block_rows, num_rows)
            before = (self._last_block - first) * C
            mask_TS = added_TS[: (last - first) * C, before : before + last * C]
            q_part = q_BHTK[:, :, first * C : last * C]
            k_part, v_part = k_BGTK[:, :, : last * C], v_BGTK[:, :, : last * C]
            outputs.append(attention(q_part, k_part, v_part, mask_TS, scale))
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)

    def _added(self, dtype: torch.dtype) -> Tensor:
        """The mask as what is added to scores; made once, where each call would make its own."""
        if self._added_TS is None or self._added_TS.dtype != dtype:
            added_TS = torch.zeros(self._mask_TS.shape, dtype=dtype, device=self._mask_TS.device)
            self._added_TS = added_TS.masked_fill_(~self._mask_TS, -torch.inf)
        return self._added_TS

    def convolve(
        self, layer: int, u_BTD: Tensor, weight_DW: Tensor, bias_D: Tensor | None
    ) -> Tensor:
        """See `Streams`."""

        def convolve(u_NLCD: Tensor) -> Tensor:
            return short_conv(u_NLCD, None, weight_DW, bias_D, self._conv_mode)[0]

        u_BRCD: Tensor = u_BTD.unflatten(1, self._shape[1:])
        v_BRCD = convolve(u_BRCD) if self._packed is None else self._packed.mix(convolve, u_BRCD)
        return v_BRCD.flatten(1, 2)


def _causal(q_BHTK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, scale: float) -> Tensor:
    """One channel: block-causal is causal, and kernels know that without a mask."""
    out_BHTK = scaled_dot_product_attention(
        q_BHTK, k_BGTK, v_BGTK, is_causal=True, scale=scale,
        enable_gqa=q_BHTK.shape[1] != k_BGTK.shape[1],
    )  # fmt: skip
    return out_BHTK.transpose(1, 2)
