"""Does anybody say what is not known yet? Checked mechanically, by numbers and names.

What stands in row t of a channel can be known to the others from row t + 2 on. A number in a
sampled channel must by then have been read or computed:

    unread       the User says it, or what it is computed from, only later
    uncomputed   another channel computes it later, from what was read already
    answer       it is the answer, and the User has not ended the question
    ahead        with wait-k: a reply begins less than k rows behind the User

    User    What is 47 plus 38 ?
    Think         47            38 47+38=85     47 is said before it can be known: unread
    Output                      85              nobody had computed 85: uncomputed

No faults, but worth knowing: a number is `announced` if its own channel computes it later or has
said in the same line what it is made of, and `unexplained` if nobody ever reads or computes it (a
constant, a step in the head). Names are held to the first rule only. Words alone cannot be judged
so; for them there is `motet.corpora.judge`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction

from motet.data.table import Table
from motet.data.verify.arithmetic import show
from motet.data.verify.finding import Check, Finding
from motet.data.verify.mentions import Mention, Mentions, Worked

LAG = 2
_EQUALS_BEFORE = re.compile(r"(?:=|->|≈|→)[\s$€£¥(*~-]*$")
_ALWAYS_KNOWN = frozenset(map(Fraction, (0, 1)))


def check_causality(table: Table, lag: int = LAG) -> list[Finding]:
    """Everything in a conversation that was said too early; lag: rows until another one knows."""
    mentions = Mentions.of(table)
    return [*_Reader(table, mentions, lag).findings(), *_ahead(table, mentions)]


class _Reader:
    """Goes through what sampled channels mention and asks where it comes from."""

    def __init__(self, table: Table, mentions: Mentions, lag: int) -> None:
        self._table = table
        self._mentions = mentions
        self._lag = lag
        self._by_value: dict[Fraction, list[Mention]] = defaultdict(list)
        for number in mentions.numbers:
            if number.value is not None:
                self._by_value[number.value].append(number)
        self._worked_in: dict[tuple[int, int], list[Worked]] = defaultdict(list)
        self._worked_to: dict[Fraction, list[Worked]] = defaultdict(list)
        for worked in mentions.worked:
            self._worked_in[worked.channel, worked.message].append(worked)
            for result in worked.claim.results:
                self._worked_to[result.value].append(worked)

    def findings(self) -> Iterator[Finding]:
        """What is too early, by channel and place."""
        for number in self._mentions.numbers:
            is_checked = number.is_said and not self._mentions.is_input[number.channel]
            if is_checked and (found := self._number(number)) is not None:
                yield found
        for name in self._mentions.names:
            if not self._mentions.is_input[name.channel] and (late := self._name(name)) is not None:
                yield self._finding(
                    name, "unread", f"{name.text!r}, which the User says in row {late}"
                )

    def _number(self, number: Mention) -> Finding | None:
        value = number.value
        if value is None or value in _ALWAYS_KNOWN or self._is_computed_here(number):
            return None
        if self._is_any_known(self._by_value[value], number):
            return None
        said = f"{number.text!r}"
        if (late := self._read_later(self._by_value[value], number)) is not None:
            return self._finding(number, "unread", f"{said}, which the User says in row {late}")
        worked = self._computed_later(value, number)
        for operand in (operand for one in worked for operand in one.claim.operands):
            known = self._by_value[operand.value]
            if self._is_any_known(known, number):
                continue
            if (late := self._read_later(known, number)) is not None:
                made_of = f"{said}, made of {show(operand.value)}"
                return self._finding(
                    number, "unread", f"{made_of}, which the User says in row {late}"
                )
        if self._is_early_answer(number):
            return self._finding(number, "answer", f"{said}, the answer, before the User has ended")
        own = any(worked.channel == number.channel for worked in self._worked_to[value])
        if own or any(self._is_worked_in_words(one, number) for one in worked):
            text = f"{said}, which is computed after it, or in words"
            return self._finding(number, "announced", text, is_fault=False)
        for one in worked:
            operands = (self._by_value[operand.value] for operand in one.claim.operands)
            if not all(self._is_any_known(known, number) for known in operands):
                continue
            name = self._table.channels[one.channel].name
            text = f"{said}, which {name} has computed in row {one.last_row}"
            return self._finding(number, "uncomputed", text)
        text = f"{said}, which nobody says or computes"
        return self._finding(number, "unexplained", text, is_fault=False)

    def _name(self, name: Mention) -> int | None:
        same = [other for other in self._mentions.names if other.name == name.name]
        if self._is_any_known(same, name) or self._was_written(name):
            return None
        return self._read_later(same, name)

    def _was_written(self, name: Mention) -> bool:
        """Whether the word stood somewhere as an ordinary one, or at the start of a sentence."""
        for channel, messages in enumerate(self._mentions.messages):
            for number, message in enumerate(messages):
                at = message.text.lower().find(name.name or "")
                if at < 0:
                    continue
                if channel == name.channel and (number, at) < name.place:
                    return True
                last_row = message.row_of(at + len(name.name or "") - 1)
                if channel != name.channel and last_row + self._lag <= name.first_row:
                    return True
        return False

    def _is_computed_here(self, number: Mention) -> bool:
        """Whether it is the result of a calculation, or stands within one that is worked out."""
        message, start = number.place
        before = self._mentions.messages[number.channel][message].text[:start]
        if _EQUALS_BEFORE.search(before):
            return True
        for worked in self._worked_in[number.channel, message]:
            claim = worked.claim
            if not claim.start <= start < claim.end:
                continue
            if not any(start == operand.start for operand in claim.operands):
                return True
        return False

    def _is_any_known(self, others: Sequence[Mention], number: Mention) -> bool:
        return any(self._is_known(other, number) for other in others)

    def _is_known(self, other: Mention, number: Mention) -> bool:
        """Whether `other` could be read before `number` was said."""
        if other.channel == number.channel:
            return other.place < number.place
        return other.last_row + self._lag <= number.first_row

    def _read_later(self, same: Sequence[Mention], number: Mention) -> int | None:
        """The row in which the User says it, in the message that is being read or comes first."""
        for other in same:
            if not self._mentions.is_input[other.channel]:
                continue
            begins = self._mentions.messages[other.channel][other.place[0]].rows[0]
            is_heard = begins <= number.first_row or other.place[0] == 0
            if is_heard and other.last_row + self._lag > number.first_row:
                return other.last_row
        return None

    def _computed_later(self, value: Fraction, number: Mention) -> list[Worked]:
        """Where another channel arrives at it, before the User says something else."""
        next_row = min(
            (row for row in self._user_begins() if row > number.first_row),
            default=self._table.num_rows,
        )
        return [
            worked
            for worked in self._worked_to[value]
            if worked.channel != number.channel
            and worked.last_row + self._lag > number.first_row
            and worked.last_row < next_row
        ]

    def _is_worked_in_words(self, worked: Worked, number: Mention) -> bool:
        """Whether its own channel says just before what it is made of: "100+36 coins, or 136"."""
        message, start = number.place
        text = self._mentions.messages[number.channel][message].text
        line = text.rfind("\n", 0, start) + 1
        said = {
            other.value
            for other in self._mentions.numbers
            if other.channel == number.channel
            and other.place[0] == message
            and line <= other.place[1] < start
        }
        return {operand.value for operand in worked.claim.operands} <= said

    def _user_begins(self) -> Iterator[int]:
        for channel, is_input in enumerate(self._mentions.is_input):
            if is_input:
                yield from (message.rows[0] for message in self._mentions.messages[channel])

    def _is_early_answer(self, number: Mention) -> bool:
        answer = self._table.meta.get("answer")
        if not isinstance(answer, str | int | float) or isinstance(answer, bool):
            return False
        try:
            is_answer = Fraction(str(answer).replace(",", "").strip(" $.")) == number.value
        except (ValueError, ZeroDivisionError):
            return False
        return is_answer and any(
            message.rows[0] <= number.first_row < message.rows[-1] + self._lag
            for channel, is_input in enumerate(self._mentions.is_input)
            if is_input
            for message in self._mentions.messages[channel]
        )

    def _finding(self, at: Mention, kind: str, what: str, *, is_fault: bool = True) -> Finding:
        return Finding(
            Check.CAUSALITY, kind, self._table.id, what, self._table.channels[at.channel].name,
            at.first_row, is_fault,
        )  # fmt: skip


def _ahead(table: Table, mentions: Mentions) -> Iterator[Finding]:
    """Replies that begin less than `meta.wait_k` rows behind the User's first word."""
    wait_k = table.meta.get("wait_k")
    heard = [m[0] for m, is_input in zip(mentions.messages, mentions.is_input, strict=True)
             if is_input and m]  # fmt: skip
    if not isinstance(wait_k, int) or isinstance(wait_k, bool) or not heard:
        return
    first = min(heard, key=lambda message: message.rows[0])
    may_begin = min(first.rows[0] + wait_k, first.rows[-1] + LAG)
    for channel, messages in enumerate(mentions.messages):
        if mentions.is_input[channel] or not messages or messages[0].rows[0] >= may_begin:
            continue
        row = messages[0].rows[0]
        what = f"begins in row {row}, and wait-{wait_k} begins in row {may_begin}"
        name = table.channels[channel].name
        yield Finding(Check.CAUSALITY, "ahead", table.id, what, name, row)
