"""Verification: what is wrong with conversations, found mechanically where that is possible.

causality    nothing is said that is not known yet      one conversation alone
arithmetic   every `a op b = c` is right                one conversation alone
duplicates   no conversation repeats another            all of them
overlap      none repeats an evaluation set             all of them, against the set
"""

from motet.data.table import Table
from motet.data.verify.arithmetic import check_arithmetic
from motet.data.verify.causality import check_causality
from motet.data.verify.finding import Check, Finding

__all__ = ["Check", "Finding", "check_arithmetic", "check_causality", "check_table"]


def check_table(table: Table) -> list[Finding]:
    """What can be found in one conversation alone: causality and arithmetic."""
    return [*check_causality(table), *check_arithmetic(table).findings]
