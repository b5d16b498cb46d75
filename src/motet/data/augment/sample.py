"""One sample of a training out of one or more conversations: joined, then shifted, then led.

    conversations -> concatenate or interrupt -> shift_silence -> lead_silence -> sample

No change makes a sample longer than `max_rows`; one that would is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from motet.data.augment.config import Augmentation
from motet.data.augment.silence import lead_silence, shift_silence
from motet.data.augment.turns import concatenate, interrupt
from motet.data.augment.voices import Voices
from motet.data.dice import Dice
from motet.data.token_grid import TokenGrid


def augment(
    grids: Sequence[TokenGrid], voices: Voices, augmentation: Augmentation, dice: Dice
) -> TokenGrid:
    """The sample that these conversations become; the one conversation itself if nothing falls."""
    grid = _joined(grids, voices, augmentation, dice)
    shift = augmentation.shift_silence
    if dice.chance(shift.share):
        for _ in range(dice.integer(1, shift.max_places)):
            if rows := _room(grid, augmentation, shift.max_rows):
                grid = shift_silence(grid, voices, dice, rows)
    lead = augmentation.lead_silence
    if dice.chance(lead.share) and (rows := _room(grid, augmentation, lead.max_rows)):
        grid = lead_silence(grid, voices, dice, rows)
    return grid


def _joined(
    grids: Sequence[TokenGrid], voices: Voices, augmentation: Augmentation, dice: Dice
) -> TokenGrid:
    joined = grids[0]
    for grid in grids[1:]:
        cut = None
        if dice.chance(augmentation.interrupt.share):
            cut = interrupt(joined, grid, voices, dice)
        if cut is None:
            cut = concatenate(joined, grid, voices, dice, augmentation.concatenate.max_gap_rows)
        joined = cut
    return joined


def _room(grid: TokenGrid, augmentation: Augmentation, wanted_rows: int) -> int:
    if augmentation.max_rows is None:
        return wanted_rows
    return max(0, min(wanted_rows, augmentation.max_rows - grid.num_rows))
