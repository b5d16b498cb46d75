"""Cross-entropy over a large vocabulary without all of its logits at once.

Logits of N cells over V words are N * V numbers: 4,096 cells and 128,000 words are 2 GB in float32,
and a softmax with its gradient holds them three times. So cells go through the head in pieces,
and the backward pass computes each piece's logits again instead of keeping them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

__all__ = ["token_losses"]

Head = Callable[[Tensor], Tensor]

_BYTES = 4  # of a number in float32


def token_losses(
    head: Head, hidden_ND: Tensor, token_N: Tensor, vocab_size: int, logits_bytes: int
) -> tuple[Tensor, Tensor]:
    """Cross-entropy in nats of each token [N], and whether it was the likeliest [N].

    At least float32 whatever the head computes in. No more than `logits_bytes` of logits exist at
    once, as float32, but always those of one cell. All in one piece are not computed again.
    """
    size = max(1, logits_bytes // (_BYTES * vocab_size))
    if len(token_N) <= size:
        return _piece(head, hidden_ND, token_N)
    losses, are_right = [], []
    for hidden, tokens in zip(hidden_ND.split(size), token_N.split(size), strict=True):
        if torch.is_grad_enabled():
            loss, is_right = checkpoint(_piece, head, hidden, tokens, use_reentrant=False)
        else:
            loss, is_right = _piece(head, hidden, tokens)
        losses.append(loss)
        are_right.append(is_right)
    return torch.cat(losses), torch.cat(are_right)


def _piece(head: Head, hidden_ND: Tensor, token_N: Tensor) -> tuple[Tensor, Tensor]:
    logits_NV = head(hidden_ND)
    logits_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
    is_right_N = logits_NV.detach().argmax(-1) == token_N
    return cross_entropy(logits_NV, token_N, reduction="none"), is_right_N
