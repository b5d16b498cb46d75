"""GSM8K to four channels: the question, the steps, an exact check of each, the answer.

    User       How many ... in April and May?
    Output                                                                The answer is 72.
    Think                                      She sold 48/2 = 24 ... 48+24 = 72 ...       (end)
    Skeptical                                                48/2=24 ok        48+24=72 ok

Skeptical computes each step again, with fractions, one step behind: it begins when it can know the
result that Think said. If a mistake is planted, it says what is right, and no. Think goes on until
it can know of that, but with no number that may depend on it; then it says the line again. The
wrong number is not to be learned. When the last step was found right, Think ends and Output begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from motet.data.project.corpus import Entry
from motet.data.project.pieces import pieces, pieces_of
from motet.data.project.sheet import LAG, Sheet
from motet.data.project.solution import Line, Place, Solution, falsified, read_solution
from motet.data.table import Table
from motet.errors import DataError
from motet.streams.layout import Channel, Role

__all__ = ["GSM8KProjection"]

SOURCE = "gsm8k"
CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
    Channel("Skeptical", Role.THOUGHT),
)
_NO = "No: "


@dataclass(frozen=True)
class GSM8KProjection:
    """A `motet.data.project.projecting.Projection` of GSM8K.

    planted_share: in how many conversations one step is first done wrong; seed: of which and how.
    """

    planted_share: float = 0.0
    seed: int = 0

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See `Projection`."""
        return CHANNELS

    @property
    def command(self) -> tuple[str, ...]:
        """See `Projection`."""
        planted = ("--planted", str(self.planted_share), "--seed", str(self.seed))
        return ("motet", "data", "project", "gsm8k", *(planted if self.planted_share else ()))

    @property
    def tools(self) -> tuple[Path, ...]:
        """See `Projection`."""
        return ()

    def __call__(self, entry: Entry) -> Table:
        """See `Projection`."""
        question = _text(entry, "question")
        solution = read_solution(_text(entry, "answer"), entry.where)
        rng = Random(f"{self.seed}/{entry.name}")
        planted = None
        if rng.random() < self.planted_share and solution.falsifiable:
            planted = rng.choice(solution.falsifiable)
        work = _Work(question, rng)
        work.solve(solution, planted)
        meta: dict[str, Any] = {"source": SOURCE, "question": question, "answer": solution.answer}
        if work.planted:
            meta |= {"planted": work.planted, "unlearned": work.unlearned}
        return work.sheet.table(entry.name, meta)


def _text(entry: Entry, key: str) -> str:
    text = entry.data.get(key)
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{entry.where}: {key}", expected="a text", got=repr(text)[:60])
    return text.strip()


def _pieces_of(said: list[str], prefix: str, place: Place) -> tuple[int, int]:
    """The pieces of a line, said after `prefix`, that hold the result at `place`."""
    return pieces_of(said, len(prefix) + place.start, len(prefix) + place.stop)


class _Work:
    """Sets one problem, line by line."""

    def __init__(self, question: str, rng: Random) -> None:
        self.sheet = Sheet(CHANNELS)
        self.planted: list[int] = []
        self.unlearned: list[list[Any]] = []
        self._rng = rng
        self._row = self.sheet.say("User", pieces(question), 0).last + LAG
        self._verdict_row = 0

    def solve(self, solution: Solution, planted: tuple[int, int] | None) -> None:
        """Think's lines with Skeptical's checks, then the reply.

        planted: the line and the step in it that is first done wrong.
        """
        for i, line in enumerate(solution.lines):
            if planted is not None and i == planted[0]:
                self._mislead(solution.lines[i:], planted[1])
                self._say_line(line, _NO)
            else:
                self._say_line(line)
        ended = self.sheet.close("Think", self._verdict_row + LAG)
        self.sheet.close("Skeptical", ended + LAG)
        self.sheet.say("Output", pieces(f"The answer is {solution.answer}."), ended)

    def _say_line(self, line: Line, opening: str = "") -> None:
        prefix = ("\n" if self.sheet.free_row("Think") else "") + opening
        said = pieces(prefix + line.text)
        first = self.sheet.say("Think", said, self._row, end=False).first
        for place in line.places:
            _, last = _pieces_of(said, prefix, place)
            self._judge(place, first + last, "ok")

    def _judge(self, place: Place, said_row: int, verdict: str) -> None:
        """Skeptical computes the step whose result was said in `said_row`."""
        start = "\n" if self.sheet.free_row("Skeptical") else ""
        text = f"{start}{place.step.expression}={place.step.result} {verdict}"
        span = self.sheet.say("Skeptical", pieces(text), said_row + LAG, end=False)
        self._verdict_row = span.last

    def _mislead(self, lines: tuple[Line, ...], number: int) -> None:
        """Think does step `number` of the first line wrong and goes on until it can know of it."""
        right, wrong = lines[0].places[number], falsified(lines[0], number, self._rng)
        prefix = "\n" if self.sheet.free_row("Think") else ""
        said = pieces(prefix + wrong.text)
        first_wrong, last_wrong = _pieces_of(said, prefix, wrong.places[number])
        first = self.sheet.say("Think", said[: last_wrong + 1], self._row, end=False).first
        for earlier in wrong.places[:number]:
            _, last = _pieces_of(said, prefix, earlier)
            self._judge(earlier, first + last, "ok")
        self.planted.append(first + last_wrong)
        self.unlearned.append(["Think", first + first_wrong, first + last_wrong])
        self._judge(right, first + last_wrong, "no")
        self._row = self._verdict_row + LAG
        following = said[last_wrong + 1 :] + pieces("\n" + lines[1].text if len(lines) > 1 else "")
        for piece in following:
            has_number = any(character.isdigit() for character in piece)
            if has_number or self.sheet.free_row("Think") >= self._row:
                break
            self.sheet.say("Think", [piece], 0, end=False)
