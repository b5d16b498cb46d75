"""Cross-entropy over a large vocabulary without all of its logits at once.

Logits of N cells over V words are N * V numbers: 4,096 cells and 128,000 words are 2 GB in float32,
and a softmax with its gradient holds them almost three times. So cells go through the head in
pieces, and the backward pass computes each piece's logits again instead of keeping them.

The head is called once all the same, with the pieces inside the call. Data parallelism and sharding
act where a module is called, and how many pieces there are differs from process to process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

__all__ = ["token_losses"]

Losses = tuple[Tensor, Tensor]

_BYTES = 4  # of a number in float32


def token_losses(
    head: nn.Module, hidden_ND: Tensor, token_N: Tensor, vocab_size: int, logits_bytes: int
) -> Losses:
    """Cross-entropy in nats of each token [N], and whether it was the likeliest [N].

    At least float32 whatever the head computes in. No more than `logits_bytes` of logits exist at
    once, as float32, but always those of one cell. All in one piece are not computed again.
    """
    size = max(1, logits_bytes // (_BYTES * vocab_size))
    logits_of: Callable[[Tensor], Tensor] = head.forward

    def piece(hidden_ND: Tensor, token_N: Tensor) -> Losses:
        logits_NV = logits_of(hidden_ND)
        logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
        is_right_N = logits_NV.detach().argmax(-1) == token_N
        return cross_entropy(logits_NV, token_N, reduction="none"), is_right_N

    def in_pieces(hidden_ND: Tensor, token_N: Tensor) -> Losses:
        if len(token_N) <= size:
            return piece(hidden_ND, token_N)
        losses, are_right = [], []
        for hidden, tokens in zip(hidden_ND.split(size), token_N.split(size), strict=True):
            if torch.is_grad_enabled():
                loss, is_right = checkpoint(piece, hidden, tokens, use_reentrant=False)
            else:
                loss, is_right = piece(hidden, tokens)
            losses.append(loss)
            are_right.append(is_right)
        return torch.cat(losses), torch.cat(are_right)

    with _doing(head, in_pieces):
        losses: Losses = head(hidden_ND, token_N)
    return losses


@contextmanager
def _doing(module: nn.Module, forward: Callable[..., Losses]) -> Iterator[None]:
    """Calls of `module` do `forward`; its hooks stay."""
    own = vars(module).get("forward")  # as libraries set it that wrap a module in place
    module.forward = forward
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
