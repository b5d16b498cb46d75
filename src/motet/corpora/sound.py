"""Can a conversation be true: nobody knows what is said later, and sums are right unless meant not.

What can be checked without a model is checked here, before a conversation is kept; a judge can look
at the rest afterwards (`motet data verify`).
"""

from __future__ import annotations

from dataclasses import replace

from motet.corpora.dropping import Dropped, DroppedError
from motet.data.table import Table
from motet.data.verify.arithmetic import check_arithmetic
from motet.data.verify.causality import check_causality
from motet.data.verify.finding import Finding

__all__ = ["check_planted", "check_sound"]


def check_sound(table: Table) -> None:
    """DroppedError with the first thing that can't be true."""
    _check_foresight(table)
    if wrong := _wrong_sums(table):
        raise DroppedError(Dropped.WRONG_SUM, _told(wrong[0]))


def check_planted(table: Table, channel: str) -> Table:
    """The same of a conversation in which `channel` was to calculate wrongly, once.

    The table with that in its meta: the cells are marked as planted, and as no targets.
    """
    _check_foresight(table)
    wrong = _wrong_sums(table)
    if elsewhere := next((found for found in wrong if found.channel != channel), None):
        raise DroppedError(Dropped.WRONG_SUM, _told(elsewhere))
    if not wrong:
        raise DroppedError(Dropped.NOT_PLANTED, channel)
    rows = sorted({found.row for found in wrong if found.row is not None})
    unlearned = [[channel, row, row] for row in rows]
    return replace(table, meta={**table.meta, "planted": rows, "unlearned": unlearned})


def _check_foresight(table: Table) -> None:
    if found := next((found for found in check_causality(table) if found.is_fault), None):
        raise DroppedError(Dropped.FORESEEN, _told(found))


def _wrong_sums(table: Table) -> list[Finding]:
    return [found for found in check_arithmetic(table).findings if found.is_fault]


def _told(found: Finding) -> str:
    return f"{found.channel} in row {found.row}, counted from 0: {found.what}"
