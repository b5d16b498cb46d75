"""How the two operations that mix cells, attention and short conv, run over streams.

Everything else in a transformer works on one cell at a time and needs no change. So one object,
the `Streams` of a forward, is handed through the stock model to its attention and conv layers:
`WholeGrids` (see `whole`) for grids read from their first row, as in training, `Continuation` (see
`state`) for rows that continue the states of several sessions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Streams(ABC):
    """What attention and conv layers ask during one forward."""

    channels_BC: Tensor | None = None
    """The channel of each column of each line [B, C]; None: all of the layout, in its order."""

    @property
    @abstractmethod
    def positions_BT(self) -> Tensor:
        """RoPE position of every cell: its row, shared by peers."""

    @abstractmethod
    def attend(
        self, layer: int, q_BHTK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, scale: float
    ) -> Tensor:
        """Block-causal, peer-blind attention; returns [B, T, H, K]."""

    @abstractmethod
    def convolve(
        self, layer: int, u_BTD: Tensor, weight_DW: Tensor, bias_D: Tensor | None
    ) -> Tensor:
        """The short convolution, [B, T, D] -> [B, T, D]."""


def block_causal_mask(num_past_rows: int, R: int, C: int, device: torch.device) -> Tensor:
    """Bool [R*C, S], True = may attend, for R rows after `num_past_rows` rows.

    Cell (r, c) sees every cell of the rows before r, and itself; not its peers.
    """
    num_past = num_past_rows * C
    cell_S = torch.arange(num_past + R * C, device=device)
    query_T = cell_S[num_past:]
    earlier_TS = cell_S[None, :] // C < query_T[:, None] // C
    return earlier_TS | (cell_S[None, :] == query_T[:, None])


def attention(
    q_BHTK: Tensor, k_BGSK: Tensor, v_BGSK: Tensor, mask_TS: Tensor, scale: float
) -> Tensor:
    """Grouped-query attention under a mask, boolean or added; returns [B, T, H, K]."""
    out_BHTK = scaled_dot_product_attention(
        q_BHTK, k_BGSK, v_BGSK, attn_mask=mask_TS, scale=scale,
        enable_gqa=q_BHTK.shape[1] != k_BGSK.shape[1],
    )  # fmt: skip
    return out_BHTK.transpose(1, 2)
