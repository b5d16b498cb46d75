"""Something that is wrong with a conversation, or may be: what, where, and found by which check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Check(StrEnum):
    """What is looked at."""

    ARITHMETIC = "arithmetic"
    CAUSALITY = "causality"
    DUPLICATES = "duplicates"
    OVERLAP = "overlap"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: a name of what is wrong, of the check's own (each module says which).

    channel, row: where, if it is at one place. is_fault: False where it may be right and is only
    worth knowing. other: what it repeats, for duplicates and overlap.
    """

    check: Check
    kind: str
    conversation: str
    what: str
    channel: str | None = None
    row: int | None = None
    is_fault: bool = True
    other: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One line of the report."""
        return {
            "conversation": self.conversation,
            "check": self.check.value,
            "kind": self.kind,
            "is_fault": self.is_fault,
            "channel": self.channel,
            "row": self.row,
            "what": self.what,
            "other": self.other,
        }
