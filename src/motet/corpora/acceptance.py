"""Is what was written a conversation as it was asked for? If not, why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from motet.corpora.dropping import Dropped, DroppedError
from motet.corpora.prompt import Prompt
from motet.data.table import Cell, Row
from motet.eval.questions.judging import Outcome, judge
from motet.streams.layout import Role

__all__ = ["check_conversation"]

_CROWD = 2
"""A cell may hold so many times the words that were asked for."""


def check_conversation(
    rows: Sequence[Row], prompt: Prompt, question: str | None = None, answer: str | None = None
) -> None:
    """DroppedError with the first reason not to keep `rows`.

    question: what the User had to say, word for word. answer: what Output must come to.
    """
    limits = prompt.file.limits
    if len(rows) < limits.min_rows:
        raise DroppedError(Dropped.TOO_FEW_ROWS, f"{len(rows)}, not {limits.min_rows}")
    if len(rows) > limits.max_rows:
        raise DroppedError(Dropped.TOO_MANY_ROWS, f"{len(rows)}, at most {limits.max_rows}")
    _check_cells(rows, limits.max_cell_words * _CROWD)
    _check_voices(rows, prompt)
    spoken = [sum(cell is not None and bool(cell.text) for cell in row) for row in rows]
    num_spoken, num_together = sum(map(bool, spoken)), sum(count > 1 for count in spoken)
    if num_together < limits.min_overlap * num_spoken:
        raise DroppedError(Dropped.SEQUENTIAL, f"{num_together} of {num_spoken} rows together")
    if question is not None:
        said = " ".join(_said(rows, _channels(prompt, Role.INPUT)[0]).split())
        if said != " ".join(question.split()):
            raise DroppedError(Dropped.OTHER_QUESTION, repr(said[:60]))
    if answer is not None:
        judged = judge(_said(rows, _channels(prompt, Role.OUTPUT)[0]), answer)
        if judged.outcome is not Outcome.RIGHT:
            raise DroppedError(Dropped.WRONG_ANSWER, f"{judged.answer}, not {answer}")


def _check_cells(rows: Sequence[Row], most_words: int) -> None:
    for number, row in enumerate(rows, start=1):
        for cell in row:
            if cell is not None and len(cell.text.split()) > most_words:
                raise DroppedError(Dropped.CROWDED, f"row {number}: {cell.text[:60]!r}")


def _check_voices(rows: Sequence[Row], prompt: Prompt) -> None:
    names = [channel.name for channel in prompt.channels]
    speaking = [
        [r for r, row in enumerate(rows) if (cell := row[c]) is not None and cell.text]
        for c in range(len(names))
    ]
    for name in prompt.file.limits.must_speak:
        if not speaking[names.index(name)]:
            raise DroppedError(Dropped.MUTE, name)
    inputs = _channels(prompt, Role.INPUT)
    heard = [r for c in inputs for r in speaking[c]]
    for channel, name in enumerate(names):
        is_early = speaking[channel] and (not heard or speaking[channel][0] <= min(heard))
        if channel not in inputs and is_early:
            raise DroppedError(Dropped.EARLY, f"{name} in row {speaking[channel][0] + 1}")
    output = _channels(prompt, Role.OUTPUT)[0]
    if prompt.file.limits.must_reply and heard and max(speaking[output], default=-1) < max(heard):
        raise DroppedError(Dropped.UNANSWERED, f"the last word is in row {max(heard) + 1}")


def _channels(prompt: Prompt, role: Role) -> list[int]:
    return [index for index, channel in enumerate(prompt.channels) if channel.role is role]


def _said(rows: Sequence[Row], channel: int) -> str:
    """All that a channel says, a newline between its messages."""
    return "".join(_pieces(row[channel] for row in rows)).strip()


def _pieces(cells: Iterator[Cell | None]) -> Iterator[str]:
    for cell in cells:
        if cell is not None:
            yield cell.text + ("\n" if cell.end else "")
