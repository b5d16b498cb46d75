"""What a dataset is like in time: how much each channel says, when, and how long one waits.

Statistics of parts add up: those of a dataset are the sum of those of its conversations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motet.data.stats.timeline import Timeline
from motet.streams.layout import Channel, Role

Counts = NDArray[np.int64]

NUM_BINS = 40
"""Parts of equal length that a conversation is cut into, whatever its length."""

ROWS_BEFORE, ROWS_AFTER = 24, 96
"""Rows around the end of a message of the User that are looked at."""


@dataclass
class ChannelStatistics:
    """One channel. lengths: rows of its messages; starts: the row in which it first speaks."""

    num_spoken: int = 0
    num_mute: int = 0
    num_messages: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    starts: Counter[int] = field(default_factory=Counter)
    num_learned: int = 0

    def add(self, other: ChannelStatistics) -> None:
        """Take in what another part has."""
        self.num_spoken += other.num_spoken
        self.num_mute += other.num_mute
        self.num_messages += other.num_messages
        self.lengths += other.lengths
        self.starts += other.starts
        self.num_learned += other.num_learned


@dataclass
class Statistics:
    """Sums over conversations.

    spoken_CN, rows_N: in each of the NUM_BINS parts of a conversation, how many cells of a channel
    speak, and how many rows there are. together_CC: rows in which both speak. around_CK, heard_K:
    the same in row -ROWS_BEFORE to ROWS_AFTER from the end of each message of the User. lags: rows
    from that end to where Output begins its next message, below 1 if the User still spoke;
    num_unanswered: where it began none before the User said something else.
    """

    channels: tuple[Channel, ...]
    num_conversations: int = 0
    num_rows: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    by_channel: list[ChannelStatistics] = field(default_factory=list)
    lags: Counter[int] = field(default_factory=Counter)
    num_unanswered: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        num_channels = len(self.channels)
        self.by_channel = self.by_channel or [ChannelStatistics() for _ in self.channels]
        self.spoken_CN: Counts = np.zeros((num_channels, NUM_BINS), np.int64)
        self.rows_N: Counts = np.zeros(NUM_BINS, np.int64)
        self.together_CC: Counts = np.zeros((num_channels, num_channels), np.int64)
        self.around_CK: Counts = np.zeros((num_channels, ROWS_BEFORE + ROWS_AFTER + 1), np.int64)
        self.heard_K: Counts = np.zeros(ROWS_BEFORE + ROWS_AFTER + 1, np.int64)

    @property
    def inputs(self) -> tuple[int, ...]:
        """Channels that are given."""
        return tuple(i for i, c in enumerate(self.channels) if c.role is Role.INPUT)

    @property
    def output(self) -> int:
        """The visible reply."""
        return next(i for i, c in enumerate(self.channels) if c.role is Role.OUTPUT)

    def count(self, timeline: Timeline, source: str, num_learned_C: Sequence[int]) -> None:
        """Take in one conversation. num_learned_C: cells that are targets, 0 if nobody knows."""
        self.num_conversations += 1
        self.num_rows += timeline.num_rows
        self.lengths[timeline.num_rows] += 1
        self.sources[source] += 1
        speaks_RC = timeline.speaks_RC
        messages = [timeline.messages(channel) for channel in range(len(self.channels))]
        for channel, one in enumerate(self.by_channel):
            spoken = np.flatnonzero(speaks_RC[:, channel])
            one.num_spoken += len(spoken)
            one.num_mute += not len(spoken)
            one.num_messages += len(messages[channel])
            one.lengths.update(span.num_rows for span in messages[channel])
            one.starts.update(spoken[:1].tolist())
            one.num_learned += num_learned_C[channel]
        self.together_CC += speaks_RC.T.astype(np.int64) @ speaks_RC.astype(np.int64)
        if timeline.num_rows:
            bins_R = np.arange(timeline.num_rows) * NUM_BINS // timeline.num_rows
            self.rows_N += np.bincount(bins_R, minlength=NUM_BINS)
            for channel in range(len(self.channels)):
                spoken_in = bins_R[speaks_RC[:, channel]]
                self.spoken_CN[channel] += np.bincount(spoken_in, minlength=NUM_BINS)
        asked = sorted(span for channel in self.inputs for span in messages[channel])
        for number, span in enumerate(asked):
            until = asked[number + 1].first if number + 1 < len(asked) else timeline.num_rows
            begun = [reply.first for reply in messages[self.output]]
            replies = [row for row in begun if span.first < row < until]
            self.lags.update(row - span.last for row in replies[:1])
            self.num_unanswered += not replies
            self._look_around(timeline, span.last)

    def _look_around(self, timeline: Timeline, row: int) -> None:
        """Count who speaks before and after a message of the User that ends in `row`."""
        first, last = max(row - ROWS_BEFORE, 0), min(row + ROWS_AFTER, timeline.num_rows - 1)
        places = slice(first - row + ROWS_BEFORE, last - row + ROWS_BEFORE + 1)
        self.heard_K[places] += 1
        self.around_CK[:, places] += timeline.speaks_RC[first : last + 1].T

    def add(self, other: Statistics) -> None:
        """Take in what another part of the same dataset has."""
        self.num_conversations += other.num_conversations
        self.num_rows += other.num_rows
        self.lengths += other.lengths
        self.lags += other.lags
        self.num_unanswered += other.num_unanswered
        self.sources += other.sources
        for one, more in zip(self.by_channel, other.by_channel, strict=True):
            one.add(more)
        self.spoken_CN += other.spoken_CN
        self.rows_N += other.rows_N
        self.together_CC += other.together_CC
        self.around_CK += other.around_CK
        self.heard_K += other.heard_K


def quantile(counts: Counter[int], share: float) -> int | None:
    """The smallest value that at least `share` of all reach; None if there are none."""
    total, so_far = counts.total(), 0
    for value in sorted(counts):
        so_far += counts[value]
        if so_far >= share * total:
            return value
    return None
