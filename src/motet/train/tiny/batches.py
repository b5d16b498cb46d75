"""Batches of conversations of similar length, each a function of (seed, pool, place) alone.

A pool of conversations is drawn, sorted by length and cut so that no batch exceeds a number of
cells; the batches of a pool come in shuffled order. To go on after a stop it is enough to know the
pool and how many of its batches were used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from motet.data.tiny.conversation import Conversation, Target
from motet.data.tiny.mixture import TaskSource, draw_conversation
from motet.data.tiny.tokenizer import SILENCE, token_id
from motet.train.tiny.config import DataConfig

__all__ = ["Batch", "BatchStream", "Position", "collate"]

_TYPICAL_CELLS = 320


@dataclass(frozen=True, slots=True)
class Batch:
    """tokens and targets [B, R, C] (`Target` values); shorter conversations end in silence."""

    tokens_BRC: Tensor
    targets_BRC: Tensor

    def part(self, rank: int, size: int) -> Batch:
        """Every `size`-th conversation, from the `rank`-th on."""
        return Batch(self.tokens_BRC[rank::size], self.targets_BRC[rank::size])


@dataclass(frozen=True, slots=True)
class Position:
    """The next batch: its pool, and its place in the shuffled pool."""

    pool: int = 0
    place: int = 0


def collate(conversations: Sequence[Conversation], silence_id: int) -> Batch:
    """Pad with silence that is no target."""
    num_rows = max(len(c.tokens_RC) for c in conversations)
    shape = (len(conversations), num_rows, conversations[0].tokens_RC.shape[1])
    tokens_BRC = np.full(shape, silence_id, dtype=np.int64)
    targets_BRC = np.full(shape, Target.NONE, dtype=np.uint8)
    for b, conversation in enumerate(conversations):
        tokens_BRC[b, : len(conversation.tokens_RC)] = conversation.tokens_RC
        targets_BRC[b, : len(conversation.tokens_RC)] = conversation.targets_RC
    return Batch(torch.from_numpy(tokens_BRC), torch.from_numpy(targets_BRC))


@dataclass(frozen=True, slots=True)
class BatchStream:
    """The endless sequence of batches of one seed; each splits into `num_parts` equal parts."""

    source: TaskSource
    tokenizer: Tokenizer
    config: DataConfig
    seed: int
    num_parts: int

    def start_at(self, position: Position) -> Iterator[tuple[Batch, Position]]:
        """Batches from `position` on, each with the position after it."""
        pool, place = position.pool, position.place
        silence_id = token_id(self.tokenizer, SILENCE)
        while True:
            batches = self._pool(pool)
            for index in range(place, len(batches)):
                is_last = index + 1 == len(batches)
                after = Position(pool + 1, 0) if is_last else Position(pool, index + 1)
                yield collate(batches[index], silence_id), after
            pool, place = pool + 1, 0

    def _pool(self, pool: int) -> list[list[Conversation]]:
        size = self.config.steps_per_pool * self.config.cells_per_step // _TYPICAL_CELLS
        size += -size % self.num_parts
        conversations = [
            draw_conversation(self.source, self.tokenizer, self.seed, pool * size + i)
            for i in range(size)
        ]
        rng = Random(f"{self.seed}/pool {pool}")
        conversations.sort(key=lambda c: (len(c.tokens_RC), rng.random()))
        batches: list[list[Conversation]] = [[]]
        for start in range(0, size, self.num_parts):
            alike = conversations[start : start + self.num_parts]
            cells = alike[-1].tokens_RC.size * (len(batches[-1]) + len(alike))
            if batches[-1] and cells > self.config.cells_per_step:
                batches.append([])
            batches[-1] += alike
        rng.shuffle(batches)
        return batches
