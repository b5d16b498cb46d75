"""What the augmentations know of a grid: who speaks where, and where a channel can be cut.

A cut before row r splits what a channel says if it speaks in rows r-1 and r and did not end in
between. A row that is put in at a cut which splits nothing is a rest between two messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from motet.data.token_grid import TokenGrid
from motet.errors import SettingError
from motet.streams.grid import Mask, Tokens
from motet.streams.layout import Channel, Layout, Role

LAG = 2
"""Rows from a token to the first token of another channel that may depend on it: a logit of row r
does not see its peers, and predicts row r+1."""


def anyone_R(is_so_RC: Mask) -> Mask:
    """Rows in which it is so in any channel."""
    return np.asarray(is_so_RC.any(axis=1))


@dataclass(frozen=True)
class Voices:
    """The channels of a layout, its tokens of meaning, and how many rows open a session."""

    channels: tuple[Channel, ...]
    silence_id: int
    end_id: int | None
    num_opening_rows: int

    @classmethod
    def of(cls, layout: Layout) -> Voices:
        """The voices of a layout; SettingError if it has no silence."""
        if layout.silence is None:
            raise SettingError("augmentation", expected="a layout with a silence token", got="none")
        end_id = None if layout.end is None else layout.end.id
        return cls(layout.channels, layout.silence.id, end_id, len(layout.opening_RC()))

    @cached_property
    def sampled_C(self) -> Mask:
        """Channels that the model speaks on."""
        return ~self.input_C

    @cached_property
    def input_C(self) -> Mask:
        """Channels that are given."""
        return np.array([channel.role is Role.INPUT for channel in self.channels])

    def speaks_RC(self, tokens_RC: Tokens) -> Mask:
        """Cells that say something, or end a message; what opens the session is nobody's."""
        speaks_RC: Mask = np.not_equal(tokens_RC, self.silence_id)
        speaks_RC[: self.num_opening_rows] = False
        return speaks_RC

    def ends_RC(self, tokens_RC: Tokens) -> Mask:
        """Cells that end a message."""
        if self.end_id is None:
            return np.zeros(tokens_RC.shape, np.bool_)
        ends_RC: Mask = self.speaks_RC(tokens_RC) & np.equal(tokens_RC, self.end_id)
        return ends_RC

    def splits_RC(self, tokens_RC: Tokens) -> Mask:
        """Whether a cut before row r splits what channel c says: [R + 1, C]."""
        speaks_RC = self.speaks_RC(tokens_RC)
        splits_RC: Mask = np.zeros((len(tokens_RC) + 1, len(self.channels)), np.bool_)
        splits_RC[1:-1] = speaks_RC[:-1] & speaks_RC[1:] & ~self.ends_RC(tokens_RC)[:-1]
        return splits_RC

    def starts_RC(self, tokens_RC: Tokens) -> Mask:
        """Cells in which a channel begins to speak."""
        starts_RC: Mask = self.speaks_RC(tokens_RC) & ~self.splits_RC(tokens_RC)[:-1]
        return starts_RC

    def learned_RC(self, grid: TokenGrid) -> Mask:
        """The targets of a grid; where it does not say, all cells of sampled channels."""
        if grid.learned_RC is not None:
            return grid.learned_RC
        return np.broadcast_to(self.sampled_C, grid.tokens_RC.shape)
