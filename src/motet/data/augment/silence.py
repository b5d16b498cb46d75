"""Silence that changes when things are said and not what: before a conversation, and within it.

Every change keeps to causality: what a sampled channel says may come later than it did, never
earlier, against what the others say.

    lead    rows of rest in front: a session in which nobody has said anything yet (cold start)
    pause   the User halts before a token at row r; whatever can depend on it moves as far
    delay   the sampled channels wait before they begin; the next message of the User waits too.
            How long one waits is chance, so those silences are no targets

                 pause of 2 rows           delay of 2 rows
    User    a b . . c d              a b c d
    Think         1 .  . 3                 . . 1 3
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from motet.data.augment.gather import NOWHERE, gather
from motet.data.augment.voices import LAG, Voices, anyone_R
from motet.data.dice import Dice
from motet.data.token_grid import TokenGrid

Cuts = NDArray[np.int64]
"""Before which row each channel is cut, [C]; R: after its last row."""


def lead_silence(grid: TokenGrid, voices: Voices, dice: Dice, max_rows: int) -> TokenGrid:
    """The grid with 1 to `max_rows` rows in which nobody speaks, behind those that open it."""
    cuts_C = np.full(len(voices.channels), voices.num_opening_rows)
    return insert_silence(grid, voices, cuts_C, dice.integer(1, max_rows), is_learned=True)


def shift_silence(grid: TokenGrid, voices: Voices, dice: Dice, max_rows: int) -> TokenGrid:
    """The grid with one pause or one delay of 1 to `max_rows` rows; the same if none is possible.

    Pauses within a message need messages that end with a token: without one, silence is the end.
    """
    num_rows = dice.integer(1, max_rows)
    is_pause = dice.chance(0.5)
    find: Callable[[TokenGrid, Voices], list[Cuts]] = pauses if is_pause else delays
    places = find(grid, voices)
    if not places:
        return grid
    return insert_silence(grid, voices, dice.choice(places), num_rows, is_learned=is_pause)


def pauses(grid: TokenGrid, voices: Voices) -> list[Cuts]:
    """Where the User may halt: input channels are cut at r, sampled ones where they can know it."""
    tokens_RC, last = grid.tokens_RC, grid.num_rows
    splits_RC = voices.splits_RC(tokens_RC)
    can_halt_C = np.asarray(voices.ends_RC(tokens_RC).any(axis=0))
    is_spoken_R = anyone_R(voices.speaks_RC(tokens_RC)[:, voices.input_C])
    is_barred_R = anyone_R(splits_RC[:, voices.input_C & ~can_halt_C])
    is_busy_R = anyone_R(splits_RC[:, voices.sampled_C])
    return [
        np.where(voices.input_C, row, min(row + LAG, last))
        for row in np.flatnonzero(is_spoken_R).tolist()
        if not is_barred_R[row] and not is_busy_R[min(row + LAG, last)]
    ]


def delays(grid: TokenGrid, voices: Voices) -> list[Cuts]:
    """Where the sampled channels may wait: where one begins and no other one speaks on."""
    splits_RC, starts_RC = voices.splits_RC(grid.tokens_RC), voices.starts_RC(grid.tokens_RC)
    begins_R = anyone_R(starts_RC[:, voices.sampled_C])
    begins_R &= ~anyone_R(splits_RC[:-1, voices.sampled_C])
    return [
        np.where(voices.input_C, next_message(grid, voices, row), row)
        for row in np.flatnonzero(begins_R).tolist()
    ]


def next_message(grid: TokenGrid, voices: Voices, row: int) -> int:
    """The first row from `row` on in which input channels can be cut and one begins; R if none."""
    splits_RC, starts_RC = voices.splits_RC(grid.tokens_RC), voices.starts_RC(grid.tokens_RC)
    begins_R = anyone_R(starts_RC[:, voices.input_C])
    begins_R &= ~anyone_R(splits_RC[:-1, voices.input_C])
    later = np.flatnonzero(begins_R[row:])
    return row + int(later[0]) if len(later) else grid.num_rows


def insert_silence(
    grid: TokenGrid, voices: Voices, cuts_C: Cuts, num_rows: int, *, is_learned: bool
) -> TokenGrid:
    """Put `num_rows` rows of silence into every channel, each at its own cut.

    is_learned: whether the new cells of sampled channels are targets.
    """
    rows_R1 = np.arange(grid.num_rows + num_rows)[:, None]
    is_new_RC = (rows_R1 >= cuts_C) & (rows_R1 < cuts_C + num_rows)
    source_RC = np.where(is_new_RC, NOWHERE, 0)
    row_RC = rows_R1 - num_rows * (rows_R1 >= cuts_C + num_rows)
    return gather([grid], source_RC, row_RC, voices, is_learned=is_learned)
