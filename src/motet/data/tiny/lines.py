"""What is to be said about one question: the working, line by line, and the reply."""

from __future__ import annotations

from dataclasses import dataclass

from motet.data.tiny.arithmetic import Step

__all__ = ["Line", "Task"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of Think's working, with its step if it is arithmetic (which can be falsified)."""

    text: str
    step: Step | None = None

    @property
    def work(self) -> str:
        """What follows the step: ": 7+8=15, 4+3+1=8 -> 85". All of a line without a step."""
        return self.text if self.step is None else self.text.removeprefix(str(self.step))


@dataclass(frozen=True, slots=True)
class Task:
    """A question with its working and reply. `answer` is the text that a right reply must contain.

    `family` says where it comes from ("problem", "sum", "letters", "talk"), `place` more exactly.
    No lines: Output replies at once.
    """

    question: str
    lines: tuple[Line, ...]
    reply: str
    answer: str
    family: str
    place: str

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is said, with a verdict, for learning a tokenizer."""
        verdicts = " ok ok\nno, ok" if self.lines else ""
        return (self.question, self.reply, "\n".join(line.text for line in self.lines), verdicts)
