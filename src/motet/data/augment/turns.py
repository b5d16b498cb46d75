"""Conversations that follow one another in one session: each a turn, or each cutting the last off.

    concatenate   first, some rows of rest, second
    interrupt     the User begins the second while someone still speaks in the first. Nobody can
                  know before two rows have passed: until then all speak on. Then whoever has not
                  ended ends, and the rest of the first is never said

    User    a b $ . . . . c d $              the User cuts in at row 7;
    Output  . . . . e f g h i $ . . k $      what followed i is dropped; $ is the end token

Without an end token a channel that is cut off falls silent.
"""

from __future__ import annotations

import numpy as np

from motet.data.augment.gather import NOWHERE, gather
from motet.data.augment.silence import insert_silence, next_message
from motet.data.augment.voices import LAG, Voices, anyone_R
from motet.data.dice import Dice
from motet.data.token_grid import TokenGrid
from motet.streams.grid import Mask


def concatenate(
    first: TokenGrid, second: TokenGrid, voices: Voices, dice: Dice, max_gap_rows: int
) -> TokenGrid:
    """`second` after `first`, with 1 to `max_gap_rows` rows of rest between them."""
    start = first.num_rows + dice.integer(1, max_gap_rows)
    num_rows = start + second.num_rows - voices.num_opening_rows
    rows_R1 = np.arange(num_rows)[:, None]
    source_R1 = np.select([rows_R1 < first.num_rows, rows_R1 >= start], [0, 1], NOWHERE)
    row_R1 = np.where(source_R1 == 1, rows_R1 - start + voices.num_opening_rows, rows_R1)
    shape = (num_rows, len(voices.channels))
    return gather(
        [first, second], np.broadcast_to(source_R1, shape), np.broadcast_to(row_R1, shape), voices
    )


def interrupt(first: TokenGrid, second: TokenGrid, voices: Voices, dice: Dice) -> TokenGrid | None:
    """The User of `second` cuts in on the last turn of `first`; None if that is not possible.

    It is if the User begins `second`, and if someone still speaks in `first` when the User rests.
    """
    opening = _user_opens_at(second, voices)
    rows_by_channel = _cut_in_rows(first, voices)
    if opening is None or not rows_by_channel:
        return None
    row = dice.choice(dice.choice(rows_by_channel))
    stop = row + LAG
    second = _not_before(second, voices, opening + LAG + 1)
    num_rows = max(stop + 1, row + second.num_rows - opening)
    shape = (num_rows, len(voices.channels))
    rows_RC = np.broadcast_to(np.arange(num_rows)[:, None], shape)
    is_first_RC = rows_RC < np.where(voices.input_C, row, stop)
    is_second_RC = rows_RC >= np.where(voices.input_C, row, stop + 1)
    is_second_RC &= rows_RC < row + second.num_rows - opening
    grid = gather(
        [first, second],
        np.select([is_first_RC, is_second_RC], [0, 1], NOWHERE),
        np.where(is_second_RC, rows_RC - row + opening, rows_RC),
        voices,
    )
    if voices.end_id is not None:
        grid.tokens_RC[stop, _is_cut_off(first, voices, stop)] = voices.end_id
    return grid


def _user_opens_at(grid: TokenGrid, voices: Voices) -> int | None:
    """The first row in which anybody speaks, if it is the User alone."""
    speaks_RC = voices.speaks_RC(grid.tokens_RC)
    spoken = np.flatnonzero(speaks_RC.any(axis=1))
    if not len(spoken) or speaks_RC[spoken[0], voices.sampled_C].any():
        return None
    return int(spoken[0])


def _cut_in_rows(grid: TokenGrid, voices: Voices) -> list[list[int]]:
    """By sampled channel that has any: rows in which the User can begin and split what it says.

    They come after the last word of the User, if there was one.
    """
    heard = np.flatnonzero(anyone_R(voices.speaks_RC(grid.tokens_RC)[:, voices.input_C]))
    if not len(heard):
        return []
    rows = np.arange(heard[-1] + 1, grid.num_rows - LAG)
    splits_RC = voices.splits_RC(grid.tokens_RC)
    found = [rows[splits_RC[rows + LAG, c]].tolist() for c in np.flatnonzero(voices.sampled_C)]
    return [rows for rows in found if rows]


def _is_cut_off(grid: TokenGrid, voices: Voices, stop: int) -> Mask:
    """Sampled channels [C] whose message has begun before row `stop` and ends there or later."""
    speaks_RC, ends_RC = voices.speaks_RC(grid.tokens_RC), voices.ends_RC(grid.tokens_RC)
    is_cut_C: Mask = voices.splits_RC(grid.tokens_RC)[stop] & voices.sampled_C
    for channel in np.flatnonzero(voices.sampled_C):
        ended = np.flatnonzero(ends_RC[:stop, channel])
        since = ended[-1] + 1 if len(ended) else 0
        has_begun = speaks_RC[since:stop, channel].any()
        is_cut_C[channel] |= has_begun and ends_RC[stop:, channel].any()
    return is_cut_C


def _not_before(grid: TokenGrid, voices: Voices, row: int) -> TokenGrid:
    """The grid with its sampled channels so late that none speaks before `row`."""
    spoken = np.flatnonzero(anyone_R(voices.speaks_RC(grid.tokens_RC)[:, voices.sampled_C]))
    if not len(spoken) or spoken[0] >= row:
        return grid
    begins = int(spoken[0])
    cuts_C = np.where(voices.input_C, next_message(grid, voices, begins), begins)
    return insert_silence(grid, voices, cuts_C, row - begins, is_learned=True)
