"""What waits to be read: tokens that come one a row, and blocks of rows that come at once.

prefills    blocks of rows, read first, in chunks: what opens a session, then messages
queues      per channel, tokens for the next rows while the others speak
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from motet.protocol.row import RowLogprobs
from motet.streams.grid import TOKEN_DTYPE, Mask, Tokens
from motet.streams.layout import Layout


@dataclass(frozen=True, eq=False)
class Block:
    """Rows [R, C] to read next, and which of their cells are given.

    turn_starts: rows of it where a message begins. reads: rows of it that read a message's token.
    logprobs: of the visible cell of its last row.
    """

    tokens_RC: Tokens
    given_RC: Mask
    turn_starts: tuple[int, ...] = ()
    reads: tuple[int, ...] = ()
    logprobs: RowLogprobs | None = None

    def part(self, start: int, stop: int) -> Block:
        """Its rows from `start` to before `stop`."""
        return Block(
            self.tokens_RC[start:stop],
            self.given_RC[start:stop],
            tuple(row - start for row in self.turn_starts if start <= row < stop),
            tuple(row - start for row in self.reads if start <= row < stop),
        )


def given_block(
    tokens_RC: Tokens, turn_starts: Sequence[int] = (), reads: Sequence[int] = ()
) -> Block:
    """A block of which every cell is given."""
    return Block(tokens_RC, np.ones(tokens_RC.shape, np.bool_), tuple(turn_starts), tuple(reads))


def joined(blocks: Sequence[Block]) -> Block:
    """One block of the rows of several."""
    starts: list[int] = []
    reads: list[int] = []
    num_rows = 0
    for block in blocks:
        starts += [num_rows + row for row in block.turn_starts]
        reads += [num_rows + row for row in block.reads]
        num_rows += len(block.tokens_RC)
    tokens = np.concatenate([block.tokens_RC for block in blocks])
    given = np.concatenate([block.given_RC for block in blocks])
    return Block(tokens, given, tuple(starts), tuple(reads))


def _without_messages(block: Block) -> Block:
    """What of a block is no message, nor begins one."""
    before = block.part(0, min(block.turn_starts, default=len(block.tokens_RC)))
    return before.part(max(before.reads, default=-1) + 1, len(before.tokens_RC))


@dataclass(frozen=True)
class Queued:
    """A token that waits to be read on a channel; `starts_turn` if it opens a message."""

    token_id: int
    starts_turn: bool = False


class Waiting:
    """What one session is still to read, in order."""

    def __init__(self, layout: Layout) -> None:
        self._prompt = layout.prompt_index
        self._silence_id = 0 if layout.silence is None else layout.silence.id
        self.queues: list[deque[Queued]] = [deque() for _ in layout.channels]
        self.prefills: list[Block] = []

    def __bool__(self) -> bool:
        return any(self.queues) or bool(self.prefills)

    @property
    def has_message(self) -> bool:
        """Whether anything but what opens the session waits."""
        return any(self.queues) or any(block.reads for block in self.prefills)

    @property
    def num_rows(self) -> int:
        """Rows that it takes to read it all."""
        return max(map(len, self.queues)) + sum(len(block.tokens_RC) for block in self.prefills)

    @property
    def prompt_ids(self) -> list[int]:
        """Tokens of messages to the model, in the order in which they will be read."""
        ids = [int(b.tokens_RC[row, self._prompt]) for b in self.prefills for row in b.reads]
        return ids + [queued.token_id for queued in self.queues[self._prompt]]

    @property
    def will_close(self) -> bool:
        """Whether a message to the model waits, or the rest of one."""
        return bool(self.queues[self._prompt]) or any(block.reads for block in self.prefills)

    def append(self, ids: Sequence[int]) -> None:
        """Queue a message, a token a row."""
        self.queues[self._prompt].extend(Queued(id_, n == 0) for n, id_ in enumerate(ids))

    def append_prefill(self, ids: Sequence[int]) -> None:
        """Queue a message to be read at once in silence; what is queued before it comes along."""
        queue = self.queues[self._prompt]
        starts = [n for n, queued in enumerate(queue) if queued.starts_turn] + [len(queue)]
        ids = [*(queued.token_id for queued in queue), *ids]
        queue.clear()
        tokens = np.full((len(ids), len(self.queues)), self._silence_id, TOKEN_DTYPE)
        tokens[:, self._prompt] = ids
        self.prefills.append(given_block(tokens, starts, range(len(ids))))

    def put(self, channel: int, ids: Sequence[int]) -> None:
        """Queue the next tokens of a thought channel."""
        self.queues[channel].extend(Queued(token_id) for token_id in ids)

    def clear_messages(self) -> None:
        """Drop all messages to the model; what a chat template writes behind a begun one stays."""
        self.queues[self._prompt].clear()
        kept = [_without_messages(block) for block in self.prefills]
        self.prefills = [block for block in kept if len(block.tokens_RC)]

    def clear(self) -> None:
        """Drop all but what opens the session."""
        self.clear_messages()
        self.queues = [deque() for _ in self.queues]

    def next_prefill(self, max_rows: int) -> Block:
        """The first `max_rows` rows of all blocks together."""
        return joined(self.prefills).part(0, max_rows)

    def next_of_turn(self, max_rows: int, *, is_begun: bool) -> Block:
        """The same of one turn of a chat; what its template writes is never read in part.

        is_begun: the turn is the one that is being read, not the next one that begins.
        """
        whole = joined(self.prefills)
        starts = [*whole.turn_starts, len(whole.tokens_RC), len(whole.tokens_RC)]
        end = starts[0] if is_begun else starts[1]
        words = [row for row in whole.reads if row < end]
        if words and words[-1] < max_rows:
            return whole.part(0, end)
        return whole.part(0, min(max(max_rows, words[0] + 1 if words else 1), end))

    def drop_read(self, num_rows: int) -> None:
        """Say that the next rows were read: so many of the blocks, or one of the queues."""
        if not self.prefills:
            for queue in self.queues:
                if queue:
                    queue.popleft()
            return
        rest = joined(self.prefills)
        rest = rest.part(num_rows, len(rest.tokens_RC))
        self.prefills = [rest] if len(rest.tokens_RC) else []

    def copy(self) -> Waiting:
        """An independent copy."""
        twin = Waiting.__new__(Waiting)
        twin._prompt, twin._silence_id = self._prompt, self._silence_id
        twin.queues = [queue.copy() for queue in self.queues]
        twin.prefills = list(self.prefills)
        return twin

    def to_json(self) -> dict[str, Any]:
        """What waits as plain JSON values."""
        return {
            "queues": [[[q.token_id, q.starts_turn] for q in queue] for queue in self.queues],
            "prefills": [[b.tokens_RC.tolist(), b.turn_starts, b.reads] for b in self.prefills],
        }
