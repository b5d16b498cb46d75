"""What was found, in few numbers: how many conversations and places by check and kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from motet.data.verify.finding import Check, Finding
from motet.data.verify.running import Plan, Report

MEANINGS = {
    (Check.CAUSALITY, "unread"): "says what the User says later",
    (Check.CAUSALITY, "uncomputed"): "says what another channel computes later",
    (Check.CAUSALITY, "answer"): "says the answer before the User has ended",
    (Check.CAUSALITY, "ahead"): "less than wait-k behind the User",
    (Check.CAUSALITY, "announced"): "computed after it is said",
    (Check.CAUSALITY, "unexplained"): "a number that nobody says or computes",
    (Check.ARITHMETIC, "wrong"): "a calculation that is wrong",
    (Check.ARITHMETIC, "planted"): "wrong, and meant so",
    (Check.ARITHMETIC, "unhurt"): "meant to be wrong, and not found",
    (Check.DUPLICATES, "exact"): "the words of an earlier conversation",
    (Check.DUPLICATES, "near"): "almost those of an earlier conversation",
    (Check.OVERLAP, "ngram"): "words of an evaluation set",
    (Check.JUDGE, "foresight"): "a judge says: uses what is not read yet",
    (Check.JUDGE, "unjudged"): "a judge gave no verdict that can be read",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of finding: in how many conversations, at how many places."""

    check: Check
    kind: str
    meaning: str
    is_fault: bool
    num_conversations: int
    num_places: int


def lines_of(findings: Sequence[Finding]) -> list[Line]:
    """One line a kind, faults first."""
    places = Counter((f.check, f.kind, f.is_fault) for f in findings)
    where = Counter((f[0], f[1], f[2]) for f in {_key(f) for f in findings})
    order = list(MEANINGS)
    kinds = sorted(places, key=lambda kind: (not kind[2], order.index((kind[0], kind[1]))))
    return [
        Line(check, kind, MEANINGS[check, kind], is_fault, where[check, kind, is_fault],
             places[check, kind, is_fault])
        for check, kind, is_fault in kinds
    ]  # fmt: skip


def _key(finding: Finding) -> tuple[Check, str, bool, str]:
    return finding.check, finding.kind, finding.is_fault, finding.conversation


def summary_json(report: Report, plan: Plan) -> dict[str, Any]:
    """Everything but the findings themselves."""
    return {
        "num_conversations": report.num_conversations,
        "num_faulty": report.num_faulty,
        "checks": [check.value for check in plan.checks],
        "findings": [
            {
                "check": line.check.value,
                "kind": line.kind,
                "is_fault": line.is_fault,
                "num_conversations": line.num_conversations,
                "num_places": line.num_places,
            }
            for line in lines_of(report.findings)
        ],
        "claims": dict(sorted(report.claims.items())),
        "evaluations": {
            "files": [path.name for path in plan.evaluations],
            "num_items": report.num_items,
            "num_too_short": report.num_short_items,
            "num_words": plan.num_words,
            "mask_numbers": plan.mask_numbers,
        },
    }
