"""Is every `a op b = c` that a conversation says right? (`motet.data.verify.claims`)

wrong     it is not
planted   it is not, and was meant so: `meta.planted` names the row in which it is said
unhurt    a row of `meta.planted` in which no wrong step was found (no fault: it may be no sum)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from motet.data.table import Message, Table
from motet.data.verify.claims import Claim, find_claims
from motet.data.verify.finding import Check, Finding
from motet.data.verify.messages import messages_of
from motet.data.verify.sides import Verdict
from motet.streams.layout import Role

_MOST_SHOWN = 80


@dataclass
class Arithmetic:
    """What was found. counts: claims by verdict, with planted ones apart."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def check_arithmetic(table: Table) -> Arithmetic:
    """Check all that the sampled channels claim."""
    found = Arithmetic()
    planted = set(table.meta.get("planted", ()))
    met: set[int] = set()
    for number, channel in enumerate(table.channels):
        if channel.role is Role.INPUT:
            continue
        for message in messages_of(table, number):
            for claim in find_claims(message.text):
                if _is_broken_off(message, claim):
                    continue
                if claim.verdict is not Verdict.WRONG:
                    found.counts[claim.verdict.value] += 1
                    continue
                meant = planted & set(_rows_of_line(message, claim))
                is_planted = bool(meant)
                kind = "planted" if is_planted else "wrong"
                found.counts[kind] += 1
                met |= meant
                said = message.text[claim.start : claim.end][:_MOST_SHOWN]
                what = f"{said!r}, and it is {show(claim.expected)}"
                row = message.row_of(claim.end - 1)
                found.findings.append(
                    Finding(
                        Check.ARITHMETIC, kind, table.id, what, channel.name, row,
                        is_fault=not is_planted,
                    )
                )  # fmt: skip
    for row in sorted(planted - met):
        found.counts["unhurt"] += 1
        what = "a planted wrong step is not there, or is no calculation that can be read"
        found.findings.append(
            Finding(Check.ARITHMETIC, "unhurt", table.id, what, None, row, is_fault=False)
        )
    return found


def _is_broken_off(message: Message, claim: Claim) -> bool:
    """Whether the message ends in the middle of the right result: somebody was interrupted."""
    said = message.text[claim.results[-1].start : claim.end]
    is_last = claim.end == len(message.text)
    right = show(claim.expected)
    return is_last and claim.verdict is Verdict.WRONG and right.startswith(said) and right != said


def _rows_of_line(message: Message, claim: Claim) -> range:
    """The rows in which the line is said that a claim stands in, the newline after it included."""
    start = message.text.rfind("\n", 0, claim.start) + 1
    end = message.text.find("\n", claim.end)
    end = len(message.text) - 1 if end < 0 else end
    return range(message.row_of(start), message.row_of(end) + 1)


def show(value: Fraction) -> str:
    """A number for people."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.6g}"
