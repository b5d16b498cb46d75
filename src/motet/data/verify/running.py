"""All checks over a dataset, shard by shard, in one process or in many: the same result.

What one conversation alone tells (and its overlap with evaluation sets) is found where its shard is
read; what it repeats is found here, in the order of the dataset, from the hashes of its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from motet.data.conversations import Conversations
from motet.data.dataset import file_sha256
from motet.data.shardwise import EachShard, each_shard
from motet.data.verify.arithmetic import check_arithmetic
from motet.data.verify.causality import LAG, check_causality
from motet.data.verify.duplicates import SIMILARITY, Duplicates, Fingerprint
from motet.data.verify.finding import Check, Finding
from motet.data.verify.overlap import NUM_WORDS, Evaluations, read_evaluations

Advance = Callable[[int, int], None]
"""Called after every shard: how many shards and conversations are done."""


@dataclass(frozen=True)
class Plan:
    """What to check. lag: rows until others know. evaluations: files; field: of their text."""

    checks: tuple[Check, ...] = (Check.CAUSALITY, Check.ARITHMETIC, Check.DUPLICATES, Check.OVERLAP)
    lag: int = LAG
    similarity: float = SIMILARITY
    evaluations: tuple[Path, ...] = ()
    field: str | None = None
    num_words: int = NUM_WORDS
    mask_numbers: bool = False

    def to_json(self) -> dict[str, Any]:
        """What decides what is found; evaluation sets by the hash of their content."""
        return {
            "checks": [check.value for check in self.checks],
            "lag": self.lag,
            "similarity": self.similarity,
            "evaluations": [file_sha256(path) for path in self.evaluations],
            "field": self.field,
            "num_words": self.num_words,
            "mask_numbers": self.mask_numbers,
        }


@dataclass
class Report:
    """What was found. claims: calculations by what they are; faulty: places in each shard.

    num_items, num_short_items: of the evaluation sets.
    """

    num_conversations: int = 0
    findings: list[Finding] = field(default_factory=list)
    claims: Counter[str] = field(default_factory=Counter)
    faulty: dict[int, set[int]] = field(default_factory=dict)
    num_items: int = 0
    num_short_items: int = 0

    @property
    def num_faulty(self) -> int:
        """Conversations with at least one fault."""
        return sum(map(len, self.faulty.values()))

    def add(self, shard: int, place: int, findings: Sequence[Finding]) -> None:
        """Take down what was found in one conversation."""
        self.findings += findings
        if any(finding.is_fault for finding in findings):
            self.faulty.setdefault(shard, set()).add(place)


@dataclass(frozen=True)
class _Checked:
    """What was found in one conversation where it was read."""

    findings: tuple[Finding, ...]
    claims: Counter[str]
    fingerprint: Fingerprint | None


@dataclass(frozen=True)
class _Checking:
    """Checks the conversations of a shard. It may be pickled."""

    conversations: Conversations
    plan: Plan

    @cached_property
    def evaluations(self) -> Evaluations | None:
        if not self.plan.evaluations or Check.OVERLAP not in self.plan.checks:
            return None
        items = read_evaluations(self.plan.evaluations, self.plan.field)
        return Evaluations(items, self.plan.num_words, mask_numbers=self.plan.mask_numbers)

    def __call__(self, shard: int) -> list[_Checked]:
        return list(self._check(shard))

    def _check(self, shard: int) -> Iterator[_Checked]:
        checks = self.plan.checks
        for table in self.conversations.tables(shard):
            findings: list[Finding] = []
            claims: Counter[str] = Counter()
            if Check.CAUSALITY in checks:
                findings += check_causality(table, self.plan.lag)
            if Check.ARITHMETIC in checks:
                arithmetic = check_arithmetic(table)
                findings += arithmetic.findings
                claims = arithmetic.counts
            if self.evaluations is not None and (met := self.evaluations.check(table)) is not None:
                findings.append(met)
            fingerprint = Fingerprint.of(table) if Check.DUPLICATES in checks else None
            yield _Checked(tuple(findings), claims, fingerprint)


def verify(
    conversations: Conversations,
    plan: Plan,
    *,
    each: EachShard = each_shard,
    advance: Advance = lambda _, __: None,
) -> Report:
    """Check a whole dataset; DataError if it, or an evaluation set, is broken."""
    checking = _Checking(conversations, plan)
    report = Report()
    if checking.evaluations is not None:
        report.num_items = checking.evaluations.num_items
        report.num_short_items = checking.evaluations.num_short
    duplicates = Duplicates(plan.similarity)
    for shard, checked in enumerate(each(checking, conversations.num_shards)):
        for place, one in enumerate(checked):
            repeated = None if one.fingerprint is None else duplicates.check(one.fingerprint)
            report.add(shard, place, [*one.findings, *([repeated] if repeated else [])])
            report.claims += one.claims
            report.num_conversations += 1
        advance(shard + 1, report.num_conversations)
    return report
