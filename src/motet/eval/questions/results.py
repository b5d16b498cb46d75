"""The file of results: a line for each trial, appended as soon as it is there.

A run that was killed goes on where it stopped: a torn last line is cut off, and what is there is
not asked again. Trials of other questions or samples may stand in it too; they are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from motet.errors import InputError
from motet.eval.questions.question import Identifier
from motet.eval.questions.trial import Ask, Trial

__all__ = ["Results", "read_trials"]

Key = tuple[Identifier, int]


class Results:
    """Trials by question and sample, on disk if there is a path, else in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._trials: dict[Key, Trial] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Read what is there and open the file to append; InputError if it is no such file."""
        if self.path is not None:
            self._trials = {(t.id, t.sample): t for t in read_trials(self.path, is_torn=True)}
            try:
                self._file = self.path.open("ab", buffering=0)
            except OSError as error:
                raise InputError(
                    "--output", expected="a file that can be written", got=error
                ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def missing(self, asks: Sequence[Ask]) -> list[Ask]:
        """Those that have no trial yet; InputError if one has, but of another question or seed."""
        missing = []
        for ask in asks:
            trial = self._trials.get((ask.question.id, ask.sample))
            if trial is None:
                missing.append(ask)
            elif (trial.seed, trial.gold) != (ask.seed, ask.question.answer):
                raise InputError(
                    str(self.path), expected=f"question {trial.id!r} with seed {ask.seed}, "
                    f"answer {ask.question.answer!r}",
                    got=f"seed {trial.seed}, answer {trial.gold!r}", fix="give another --output",
                )  # fmt: skip
        return missing

    def add(self, trial: Trial) -> None:
        """Keep a trial, on disk first; InputError if there is no room."""
        if self._file is not None:
            rest = memoryview((json.dumps(trial.to_json(), ensure_ascii=False) + "\n").encode())
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
            except OSError as error:
                raise InputError(
                    str(self.path), expected="room for a result", got=error,
                    fix="make room and start again: it goes on where it stopped",
                ) from None  # fmt: skip
        self._trials[trial.id, trial.sample] = trial

    def of(self, asks: Sequence[Ask]) -> list[Trial]:
        """The trials of `asks`, in their order; all must be there."""
        return [self._trials[ask.question.id, ask.sample] for ask in asks]


def read_trials(path: Path, *, is_torn: bool = False) -> list[Trial]:
    """The trials of a file of results. is_torn: cut a last line off that was not finished."""
    if not path.exists():
        return []
    trials: dict[Key, Trial] = {}
    whole_bytes = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path}:{number}"
            if is_torn and not line.endswith(b"\n"):
                break
            whole_bytes += len(line)
            trial = Trial.from_json(_value(line, where), where)
            if (trial.id, trial.sample) in trials:
                raise InputError(where, expected="each trial once", got=f"{trial.id!r} again")
            trials[trial.id, trial.sample] = trial
    if is_torn and whole_bytes < path.stat().st_size:
        with path.open("r+b") as file:
            file.truncate(whole_bytes)
    return list(trials.values())


def _value(line: bytes, where: str) -> object:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            where, expected="a result of motet eval", got=error, fix="give another --output"
        ) from None
    return value
