"""The short convolution over a grid, in the two modes that exist.

column: each channel convolves over its own earlier rows, W = 3:

    v[r, c] = w0 * u[r-2, c] + w1 * u[r-1, c] + w2 * u[r, c]

row_boundary: every cell of a row convolves over the last W-1 cells of the rows before it, which
the peers share (they never see each other):

    v[r, c] = w0 * u[r-1, C-2] + w1 * u[r-1, C-1] + w2 * u[r, c]

With one channel both are the ordinary causal convolution. Source: Multi-Stream LLMs
(arXiv:2605.12460) and the model card of LFM2.5-8B-A1B-Multichannel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motet.streams.layout import ConvMode


def short_conv(
    u_BRCD: Tensor,
    past_BPCD: Tensor | None,
    weight_DW: Tensor,
    bias_D: Tensor | None,
    mode: ConvMode,
) -> tuple[Tensor, Tensor]:
    """Convolve rows that continue `past`, the W-1 rows before them (zeros if None).

    Returns v [B, R, C, D] and the padded input [B, W-1+R, C, D], whose rows n to n+W-2 are the
    past of row n.
    """
    num_past = weight_DW.shape[1] - 1
    B, R, C, D = u_BRCD.shape
    if past_BPCD is None:
        past_BPCD = u_BRCD.new_zeros(B, num_past, C, D)
    padded_BPCD = torch.cat([past_BPCD, u_BRCD], dim=1)
    v_BRCD = u_BRCD * weight_DW[:, num_past]
    if mode is ConvMode.COLUMN:
        for tap in range(num_past):
            v_BRCD = v_BRCD + padded_BPCD[:, tap : tap + R] * weight_DW[:, tap]
    else:
        flat_BTD = padded_BPCD.flatten(1, 2)
        first_cell = num_past * C  # of the first new row
        for tap in range(num_past):
            cell = first_cell - num_past + tap
            boundary_BRD = flat_BTD[:, cell : cell + R * C : C][:, :R]
            v_BRCD = v_BRCD + boundary_BRD.unsqueeze(2) * weight_DW[:, tap]
    return (v_BRCD if bias_D is None else v_BRCD + bias_D), padded_BPCD
