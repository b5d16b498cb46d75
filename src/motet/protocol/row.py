"""One row as every part sees it: the engine yields it, a socket carries it, a page draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowLogprobs:
    """How likely the visible channel's token was, before penalties and temperature (natural log).

    top: the likeliest tokens and their logprobs, likeliest first.
    """

    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Row:
    """One time step of one session; every tuple has C entries, in the order of the layout.

    deltas: the text that this row completes in each channel (empty for silence, and inside a
    character). silent: the cell holds the silence token. given: set from outside, not sampled.
    logprobs: of the visible channel, where they were asked for and the cell was sampled.
    """

    index: int
    token_ids: tuple[int, ...]
    deltas: tuple[str, ...]
    silent: tuple[bool, ...]
    given: tuple[bool, ...]
    logprobs: RowLogprobs | None = None
