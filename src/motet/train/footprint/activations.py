"""What a forward keeps for its backward, in bytes a cell.

With a bytes a number where arithmetic runs, r in the residual stream; norms compute in float32:

    two norms          2 D (4 + r)          their input in float32, what they normalised
    short conv         9 D a                projections' inputs, B C x, its products, feed-forward's
    attention          (2 D + H K) a        inputs of projections and feed-forward
                       (H + G) K (4 + a)    q and k under their norms
                       (H + 2 G') K a + 4 H q, k, v and the sum of each softmax
    dense              4 F a                gate, up, and their two products
    experts            A (2 D + 4 F) a      the same, and rows sorted by expert

G' is G where the kernel knows shared heads (CPU), else H. Attention keeps no scores. These are the
tensors that autograd saves for the code of transformers' LFM2; tests hold the sums against those
that it does save.
"""

from __future__ import annotations

from motet.formats.hyperparameters import Hyperparameters

__all__ = ["activation_bytes"]


def activation_bytes(
    numbers: Hyperparameters,
    num_cells: int,
    *,
    arithmetic_bytes: int,
    residual_bytes: int,
    checkpointing: bool,
    shares_heads: bool,
) -> int:
    """Bytes of `num_cells` cells (B * R * C) at the end of the forward, or at the peak of the
    backward if only the layers' inputs are kept (checkpointing).
    """
    a, r, D = arithmetic_bytes, residual_bytes, numbers.width
    layers = [
        _layer(numbers, layer, a, r, shares_heads=shares_heads)
        for layer in range(numbers.num_layers)
    ]
    ending = D * (4 + r) + 2 * D * a
    if checkpointing:
        return num_cells * (numbers.num_layers * D * r + max(layers) + ending)
    return num_cells * (sum(layers) + ending)


def _layer(numbers: Hyperparameters, layer: int, a: int, r: int, *, shares_heads: bool) -> int:
    D, H, K, A = numbers.width, numbers.num_heads, numbers.head_width, numbers.num_active_experts
    G = numbers.num_kv_heads[layer]
    G_kept = G if shares_heads else H
    mixer = 9 * D * a
    if G:
        mixer = (2 * D + H * K) * a + (H + G) * K * (4 + a)
        mixer += (H + 2 * G_kept) * K * a + 4 * H
    feed_forward = 4 * numbers.ffn_width * a
    if numbers.has_experts(layer):
        feed_forward = A * (2 * D + 4 * numbers.expert_width) * a
    return 2 * D * (4 + r) + mixer + feed_forward
