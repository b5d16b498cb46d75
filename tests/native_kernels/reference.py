"""What the kernels compute, in plain NumPy and float64, from the definitions alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]

Q4, Q8 = GGMLType.Q4_0, GGMLType.Q8_0
F32, F16, BF16 = GGMLType.F32, GGMLType.F16, GGMLType.BF16
FLOATS = (F32, F16, BF16)
KINDS = (Q4, Q8, GGMLType.Q4_K, GGMLType.Q5_K, GGMLType.Q6_K, GGMLType.IQ4_XS, *FLOATS)
IQ4_NUMBERS = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float64
)
_HALVES = {  # of a block: where its half-precision scales stand
    Q4: [0], Q8: [0], GGMLType.Q4_K: [0, 2], GGMLType.Q5_K: [0, 2], GGMLType.Q6_K: [208],
    GGMLType.IQ4_XS: [0],
}  # fmt: skip
_MODERATE = {  # half-precision scales; those of K-quants are multiplied by up to 63 or 127
    Q4: 0.02, Q8: 0.002, GGMLType.Q4_K: 3e-4, GGMLType.Q5_K: 2e-4, GGMLType.Q6_K: 5e-5,
    GGMLType.IQ4_XS: 5e-5,
}  # fmt: skip


def random_blocks(rng: np.random.Generator, kind: GGMLType, shape: tuple[int, ...]) -> Bytes:
    """GGUF blocks of random weights: every bit is random, but scales are moderate numbers."""
    num = int(np.prod(shape)) // kind.block_size
    if kind in FLOATS:
        return _as_floats(kind, rng.uniform(-0.2, 0.2, num).astype(np.float32))
    blocks = rng.integers(0, 256, (num, kind.block_bytes), dtype=np.uint8)
    for at in _HALVES[kind]:
        scales = rng.uniform(-_MODERATE[kind], _MODERATE[kind], (num, 1)).astype(np.float16)
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(num, 2)
    return blocks.reshape(-1)


def filled_blocks(kind: GGMLType, shape: tuple[int, ...], fill: int) -> Bytes:
    """GGUF blocks whose bytes are all `fill`, and whose scales are 1."""
    num = int(np.prod(shape)) // kind.block_size
    if kind in FLOATS:
        return _as_floats(kind, np.full(num, fill - 128, np.float32))
    blocks = np.full((num, kind.block_bytes), fill, np.uint8)
    for at in _HALVES[kind]:
        blocks[:, at : at + 2] = np.frombuffer(np.float16(1).tobytes(), np.uint8)
    return blocks.reshape(-1)


def _as_floats(kind: GGMLType, x: Floats) -> Bytes:
    """Numbers in a type of FLOATS; cut, not rounded, for BF16."""
    if kind is BF16:
        return (x.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    return x.astype(np.float32 if kind is F32 else np.float16).view(np.uint8)


def half_at(blocks: Bytes, at: int) -> Doubles:
    """The half-precision number at byte `at` of each block [n, bytes]; [n, 1]."""
    return blocks[:, at : at + 2].copy().view(np.float16).astype(np.float64)


def dequantised(kind: GGMLType, shape: tuple[int, ...], blocks: Bytes) -> Doubles:
    """The numbers of GGUF blocks, from the definition of their format."""
    if kind is BF16:
        return (blocks.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(
            shape).astype(np.float64)  # fmt: skip
    if kind in FLOATS:
        dtype = np.float32 if kind is F32 else np.float16
        return blocks.view(dtype).astype(np.float64).reshape(shape)
    rows = blocks.reshape(-1, kind.block_bytes)
    if kind is Q4:
        packed = rows[:, 2:]
        values = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float64) - 8
        return (values * half_at(rows, 0)).reshape(shape)
    if kind is Q8:
        return (rows[:, 2:].view(np.int8) * half_at(rows, 0)).reshape(shape)
    if kind is GGMLType.Q6_K:
        return _dequantised_q6(rows).reshape(shape)
    if kind is GGMLType.IQ4_XS:
        return _dequantised_iq4(rows).reshape(shape)
    return _dequantised_q45(kind, rows).reshape(shape)


def _dequantised_q45(kind: GGMLType, rows: Bytes) -> Doubles:
    packed = rows[:, 4:16]
    scale = np.concatenate(
        [packed[:, :4] & 63, packed[:, 8:] & 15 | packed[:, :4] >> 6 << 4], axis=1
    )
    minimum = np.concatenate(
        [packed[:, 4:8] & 63, packed[:, 8:] >> 4 | packed[:, 4:8] >> 6 << 4], axis=1
    )
    nibbles = rows[:, -128:].reshape(-1, 4, 1, 32)
    values = np.concatenate([nibbles & 15, nibbles >> 4], axis=2).reshape(-1, 8, 32)
    if kind is GGMLType.Q5_K:
        bits = rows[:, None, 16:48] >> np.arange(8, dtype=np.uint8)[:, None] & 1
        values = values | bits << 4
    d, dmin = half_at(rows, 0)[..., None], half_at(rows, 2)[..., None]
    return d * scale[..., None] * values - dmin * minimum[..., None]


def _dequantised_q6(rows: Bytes) -> Doubles:
    low = rows[:, :128].reshape(-1, 2, 1, 64)
    nibbles = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], np.uint8)[:, None]
    upper = rows[:, 128:192].reshape(-1, 2, 1, 32) >> shifts & 3
    values = (nibbles | upper << 4).astype(np.float64) - 32
    scale = rows[:, 192:208].view(np.int8).astype(np.float64)
    return half_at(rows, 208)[..., None] * scale[..., None] * values.reshape(-1, 16, 16)


def _dequantised_iq4(rows: Bytes) -> Doubles:
    nibbles = rows[:, 8:].reshape(-1, 8, 16)
    values = IQ4_NUMBERS[np.concatenate([nibbles & 15, nibbles >> 4], axis=2)]
    low = np.stack([rows[:, 4:8] & 15, rows[:, 4:8] >> 4], axis=2).reshape(-1, 8)
    upper = rows[:, 2:4, None] >> np.array([0, 2, 4, 6], np.uint8) & 3
    scale = (low | upper.reshape(-1, 8) << 4).astype(np.float64) - 32
    return half_at(rows, 0)[..., None] * scale[..., None] * values


def rounded(x_TK: Floats, span: int = 1) -> tuple[NDArray[np.int8], Floats]:
    """Activations in 8 bits, [T, K/32, 32], and their scales [T, K/32], `span` of which are one."""
    x = x_TK.reshape(x_TK.shape[0], -1, 32)
    largest = np.abs(x_TK.reshape(x_TK.shape[0], -1, 32 * span)).max(axis=2, keepdims=True)
    largest = largest.repeat(span, axis=1)
    tiny = largest < 2.0**-100
    inverse = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=~tiny)
    scale = np.where(tiny, np.float32(0), largest / np.float32(127))
    return np.rint(x * inverse).astype(np.int8), scale[..., 0].astype(np.float32)


def as_taken(kind: GGMLType, x_TK: Floats) -> Doubles:
    """What is left of activations that weights of a kind take: rounded to 8 bits, or all."""
    if kind in FLOATS:
        return x_TK.astype(np.float64)
    values, scale = rounded(x_TK, 8 if kind is GGMLType.IQ4_XS else 1)
    return (values.astype(np.float64) * scale[..., None]).reshape(x_TK.shape)


def experts(
    kind: GGMLType, gate_EFD: Doubles, up_EFD: Doubles, down_EDF: Doubles, x_TD: Floats,
    chosen_TA: NDArray[np.int32], shares_TA: Floats,
) -> Doubles:  # fmt: skip
    """The feed-forward of a mixture of experts, [T, D]; activations rounded where kernels do."""
    x = as_taken(kind, x_TD)
    out = np.zeros((x.shape[0], down_EDF.shape[1]))
    for t, a in np.ndindex(chosen_TA.shape):
        e = chosen_TA[t, a]
        gate, up = gate_EFD[e] @ x[t], up_EFD[e] @ x[t]
        hidden = (gate / (1 + np.exp(-gate)) * up).astype(np.float32)
        out[t] += shares_TA[t, a] * (down_EDF[e] @ as_taken(kind, hidden[None])[0])
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
