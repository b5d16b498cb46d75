"""What came of every attempt, one line each, appended as soon as it is known.

    {"made_as": {...}}                                   how; going on in another way is refused
    {"attempt": 7, "outcome": "kept", "kept": {...}}     kept: what is to become a conversation
    {"attempt": 8, "outcome": "broken_row", "detail": "behind row 4: ..."}
    {"cost": {...}}                                      of what was begun and could not be finished

The file stands beside the dataset that is made from it, and stays, so that whoever reads the
corpus can see what was left out. A process that is killed loses at most the line that it was
writing, which the next one cuts off. Lines come in any order; attempts are known by number.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from motet.errors import DataError, JournalError
from motet.server.journal.lock import lock

__all__ = ["KEPT", "Attempt", "Attempts", "attempts_file"]

KEPT = "kept"
_MADE_AS = "made_as"
_COST = "cost"


def attempts_file(dataset: Path) -> Path:
    """Where the attempts stand that `dataset` is made from."""
    return dataset.with_name(dataset.name + ".attempts.jsonl")


@dataclass(frozen=True)
class Attempt:
    """What came of one. outcome: `kept`, or why not; detail: what exactly.

    facts: what is counted of it, plain JSON values. kept: the conversation, as JSON.
    """

    number: int
    outcome: str
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    kept: Any = None

    def to_line(self) -> bytes:
        """The line of the file."""
        data: dict[str, Any] = {"attempt": self.number, "outcome": self.outcome}
        data |= {"detail": self.detail} if self.detail else {}
        data |= {"facts": dict(self.facts)} if self.facts else {}
        data |= {} if self.kept is None else {"kept": self.kept}
        return json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"

    @classmethod
    def from_line(cls, line: bytes, where: str) -> Attempt:
        """What `to_line` wrote; DataError, naming `where`, for anything else."""
        try:
            data = json.loads(line)
            attempt = cls(
                number=data["attempt"], outcome=data["outcome"], detail=data.get("detail", ""),
                facts=data.get("facts", {}), kept=data.get("kept"),
            )  # fmt: skip
            types = (type(attempt.number), type(attempt.outcome), type(attempt.facts))
            is_good = types == (int, str, dict) and (attempt.kept is None) != attempt.is_kept
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_good = False
        if not is_good:
            raise _no_attempts(where, repr(line[:60]))
        return attempt

    @property
    def is_kept(self) -> bool:
        """Whether it became a conversation."""
        return self.outcome == KEPT


class Attempts:
    """The file, open for one process: `with Attempts(path, made_as) as attempts`.

    made_as: JSON values that decide what an attempt of a number is. DataError if the file holds
    others, is none, or another process works on it. outcomes: counts. costs: of what came to
    nothing, and is no attempt yet.
    """

    def __init__(self, path: Path, made_as: Mapping[str, Any]) -> None:
        self.path = path
        self.outcomes: Counter[str] = Counter()
        self.costs: list[dict[str, int]] = []
        self._made_as = json.loads(json.dumps(made_as))
        self._places: dict[int, int | None] = {}  # number -> where its line begins, if it was kept
        self._facts: dict[int, Mapping[str, Any]] = {}
        self._file: BinaryIO | None = None
        self._lock: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._lock = lock(self.path)
        except JournalError:
            raise DataError(
                str(self.path), expected="attempts that no other process works on",
                got="another one does", fix="wait for it, or give another directory",
            ) from None  # fmt: skip
        try:
            self._file = self.path.open("a+b", buffering=0)
            self._read()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def __contains__(self, number: int) -> bool:
        """Whether an attempt was made."""
        return number in self._places

    @property
    def num_kept(self) -> int:
        """Attempts that became conversations."""
        return self.outcomes[KEPT]

    @property
    def num_made(self) -> int:
        """All attempts."""
        return len(self._places)

    def add(self, attempt: Attempt) -> None:
        """Keep what came of an attempt, on disk first."""
        assert attempt.number not in self._places, attempt.number
        self._note(attempt, self._append(attempt.to_line()))

    def add_cost(self, cost: dict[str, int]) -> None:
        """Keep what was spent on an attempt that is still to be made."""
        if any(cost.values()):
            self._append(json.dumps({_COST: cost}).encode() + b"\n")
            self.costs.append(cost)

    def facts(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The number and facts of every attempt, by number."""
        return iter(sorted(self._facts.items()))

    def kept_numbers(self) -> list[int]:
        """The attempts that were kept, in order."""
        return sorted(number for number, place in self._places.items() if place is not None)

    def read(self, numbers: Iterable[int]) -> Iterator[Attempt]:
        """Kept attempts, from the file again."""
        with self.path.open("rb") as file:
            for number in numbers:
                place = self._places[number]
                assert place is not None, number
                file.seek(place)
                yield Attempt.from_line(file.readline(), f"{self.path}: attempt {number}")

    def _read(self) -> None:
        """Take in what is there, cut a torn last line off, and begin if there is nothing."""
        whole_bytes = 0
        with self.path.open("rb") as file:
            for line_number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                where = f"{self.path}: line {line_number}"
                if line_number == 1:
                    self._check_made_as(line, where)
                elif (cost := _cost(line)) is not None:
                    self.costs.append(cost)
                else:
                    attempt = Attempt.from_line(line, where)
                    if attempt.number in self._places:
                        raise _no_attempts(where, f"attempt {attempt.number} twice")
                    self._note(attempt, whole_bytes)
                whole_bytes += len(line)
        assert self._file is not None
        self._file.truncate(whole_bytes)
        if whole_bytes == 0:
            head = json.dumps({_MADE_AS: self._made_as}, ensure_ascii=False)
            self._append(head.encode("utf-8") + b"\n")

    def _check_made_as(self, line: bytes, where: str) -> None:
        try:
            earlier = json.loads(line)[_MADE_AS]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _no_attempts(where, repr(line[:60])) from None
        if earlier != self._made_as:
            old = earlier if isinstance(earlier, dict) else {}
            keys = sorted(
                key
                for key in old.keys() | self._made_as.keys()
                if old.get(key) != self._made_as.get(key)
            )
            raise DataError(
                str(self.path), expected="attempts that were made in the same way",
                got=f"others ({', '.join(keys)} differ)",
                fix="give another directory, or remove this file",
            )  # fmt: skip

    def _note(self, attempt: Attempt, place: int) -> None:
        self._places[attempt.number] = place if attempt.is_kept else None
        self.outcomes[attempt.outcome] += 1
        self._facts[attempt.number] = attempt.facts

    def _append(self, line: bytes) -> int:
        """Write a line; the place where it begins. What could be written of it is undone if not."""
        assert self._file is not None
        place = self._file.seek(0, 2)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(place)
            raise DataError(
                str(self.path), expected="room for a line", got=error,
                fix="make room and start again: it goes on where it stopped",
            ) from None  # fmt: skip
        return place

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.close()


def _cost(line: bytes) -> dict[str, int] | None:
    """The cost in a line that says one; None of any other."""
    try:
        cost = json.loads(line)[_COST]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_cost = isinstance(cost, dict) and all(type(value) is int for value in cost.values())
    return cost if is_cost else None


def _no_attempts(where: str, got: str) -> DataError:
    return DataError(
        where, expected="what came of an attempt", got=got, fix="give another directory"
    )
