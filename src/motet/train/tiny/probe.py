"""A quick look at a model in training: teacher-forced, one forward for many conversations.

The working is a function of the question, so a conversation whose Think cells are all predicted is
one that greedy decoding would work out. Replies may be phrased otherwise; of them only the first
answer token that differs counts through `reply_right`. Decoding itself is measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from motet.data.tiny.conversation import CHANNELS, Conversation, Target
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.tiny.batches import collate

__all__ = ["Probe", "probe"]

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Probe:
    """Share of conversations whose every cell of a channel is the likeliest token there."""

    think_right: float
    skeptical_right: float
    num_conversations: int


@torch.inference_mode()
def probe(model: MultiStreamModel, conversations: Sequence[Conversation]) -> Probe:
    """Probe `model` on conversations (best composed without planted mistakes)."""
    names = [channel.name for channel in CHANNELS]
    assert model.layout.silence is not None
    num_right = dict.fromkeys(names, 0)
    ordered = sorted(conversations, key=lambda c: len(c.tokens_RC))
    was_training = model.training
    model.eval()
    for start in range(0, len(ordered), _BATCH):
        batch = collate(ordered[start : start + _BATCH], model.layout.silence.id)
        guessed_BRC = model(batch.tokens_BRC).argmax(-1)[:, :-1]
        is_right_BRC = guessed_BRC == batch.tokens_BRC[:, 1:]
        is_right_BRC |= batch.targets_BRC[:, 1:] == Target.NONE
        for name, count in zip(names, is_right_BRC.all(dim=1).sum(dim=0).tolist(), strict=True):
            num_right[name] += count
    model.train(was_training)
    total = len(conversations)
    return Probe(num_right["Think"] / total, num_right["Skeptical"] / total, total)
