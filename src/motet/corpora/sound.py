"""Can a conversation be true: nobody knows what is said later, and sums are right unless meant not.

What can be checked without a model is checked here, before a conversation is kept; a judge can look
at the rest afterwards (`motet data verify`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from motet.corpora.dropping import Dropped, DroppedError
from motet.corpora.prompt import Prompt
from motet.data.table import Table
from motet.data.verify.arithmetic import check_arithmetic
from motet.data.verify.causality import check_causality
from motet.data.verify.finding import Finding

__all__ = ["check_sound"]


def check_sound(table: Table, prompt: Prompt, values: Mapping[str, str]) -> Table:
    """The same table, with what was planted in its meta; DroppedError if it can't be true.

    values: what the places of the prompt were filled with. Where they asked for a wrong step, its
    cells are marked as planted, and as no targets.
    """
    if found := next((f for f in check_causality(table) if f.is_fault), None):
        raise DroppedError(Dropped.FORESEEN, _told(found))
    wrong = [found for found in check_arithmetic(table).findings if found.is_fault]
    planting = prompt.file.planting
    if planting is None or not values.get(planting.slot):
        if wrong:
            raise DroppedError(Dropped.WRONG_SUM, _told(wrong[0]))
        return table
    for found in wrong:
        if found.channel != planting.channel:
            raise DroppedError(Dropped.WRONG_SUM, _told(found))
    if not wrong:
        raise DroppedError(Dropped.NOT_PLANTED, planting.channel)
    rows = sorted({found.row for found in wrong if found.row is not None})
    unlearned = [[planting.channel, row, row] for row in rows]
    return replace(table, meta={**table.meta, "planted": rows, "unlearned": unlearned})


def _told(found: Finding) -> str:
    return f"{found.channel} in row {found.row}, counted from 0: {found.what}"
