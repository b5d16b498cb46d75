"""What the kernels compute, in plain NumPy and float64, from the definitions alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]

Q4, Q8 = GGMLType.Q4_0, GGMLType.Q8_0


def random_blocks(rng: np.random.Generator, kind: GGMLType, shape: tuple[int, ...]) -> Bytes:
    """GGUF blocks of random weights, with every bit pattern that the format allows."""
    num = int(np.prod(shape)) // 32
    scales = rng.uniform(-0.02, 0.02, (num, 1)).astype(np.float16).view(np.uint8)
    values = rng.integers(0, 256, (num, 16 if kind is Q4 else 32), dtype=np.uint8)
    return np.concatenate([scales.reshape(num, 2), values], axis=1).reshape(-1)


def dequantised(kind: GGMLType, shape: tuple[int, ...], blocks: Bytes) -> Doubles:
    """The numbers of GGUF blocks."""
    rows = blocks.reshape(-1, 18 if kind is Q4 else 34)
    scale = rows[:, :2].copy().view(np.float16).astype(np.float64)
    packed = rows[:, 2:]
    if kind is Q4:
        values = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float64) - 8
    else:
        values = packed.view(np.int8).astype(np.float64)
    return (values * scale).reshape(shape)


def rounded(x_TK: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Activations in 8 bits, [T, K/32, 32], and their scales [T, K/32]."""
    x = x_TK.reshape(x_TK.shape[0], -1, 32)
    largest = np.abs(x).max(axis=2, keepdims=True)
    tiny = largest < 2.0**-100
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=~tiny)
    scale = np.where(tiny, np.float32(0), largest / np.float32(127))
    return np.rint(x * inverse).astype(np.int8), scale[..., 0].astype(np.float32)


def as_rounded(x_TK: Floats) -> Doubles:
    """What is left of activations when they are rounded to 8 bits."""
    values, scale = rounded(x_TK)
    return (values.astype(np.float64) * scale[..., None]).reshape(x_TK.shape)


def experts(
    gate_EFD: Doubles, up_EFD: Doubles, down_EDF: Doubles, x_TD: Floats,
    chosen_TA: NDArray[np.int32], shares_TA: Floats,
) -> Doubles:  # fmt: skip
    """The feed-forward of a mixture of experts, [T, D]; activations rounded where kernels do."""
    x = as_rounded(x_TD)
    out = np.zeros((x.shape[0], down_EDF.shape[1]))
    for t, a in np.ndindex(chosen_TA.shape):
        e = chosen_TA[t, a]
        gate, up = gate_EFD[e] @ x[t], up_EFD[e] @ x[t]
        hidden = (gate / (1 + np.exp(-gate)) * up).astype(np.float32)
        out[t] += shares_TA[t, a] * (down_EDF[e] @ as_rounded(hidden[None])[0])
    return out


def attention(
    q_RCHK: Floats, k_RCGK: Doubles, v_RCGK: Doubles, first_row: int, scale: float
) -> Doubles:
    """Rows `first_row` on of row attention, [R', C, H, K], over all rows' keys and values."""
    R, C, G, K = k_RCGK.shape
    H = q_RCHK.shape[2]
    out = np.zeros((R - first_row, C, H, K))
    for r, c, h in np.ndindex(R - first_row, C, H):
        row, g = first_row + r, h // (H // G)
        keys = np.concatenate([k_RCGK[:row, :, g].reshape(-1, K), k_RCGK[row, c : c + 1, g]])
        values = np.concatenate([v_RCGK[:row, :, g].reshape(-1, K), v_RCGK[row, c : c + 1, g]])
        scores = keys @ q_RCHK[r, c, h].astype(np.float64) * scale
        weights = np.exp(scores - scores.max())
        out[r, c, h] = weights @ values / weights.sum()
    return out
