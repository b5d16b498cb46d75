"""Questions with their right answers, from a JSONL file or from GSM8K.

Lines are read strictly: the first one that is not what it should be raises an InputError that names
file, line and field. An answer that is a worked solution counts from behind its last "####", as
GSM8K writes it (Cobbe et al., arXiv:2110.14168).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from motet.errors import InputError

__all__ = ["Fields", "Identifier", "Question", "read_gsm8k", "read_questions"]

Identifier = str | int
_SOURCE = "https://github.com/openai/grade-school-math"


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the answer that counts as right. where: its place, for messages."""

    id: Identifier
    text: str
    answer: str
    where: str


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields of a line. id: None means "id" if a line has it, else its number."""

    question: str = "question"
    answer: str = "answer"
    id: str | None = None


_USUAL = Fields()


def read_questions(path: Path, fields: Fields = _USUAL, limit: int | None = None) -> list[Question]:
    """The questions of a JSONL file, the first `limit` of them; InputError if there is none."""
    if not path.is_file():
        got = "a directory" if path.is_dir() else "no such file"
        raise InputError("questions", expected="a JSONL file", got=f"{path}: {got}")
    questions: dict[Identifier, Question] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if limit is not None and len(questions) >= limit:
                break
            if not line.strip():
                continue
            question = _parse(line, f"{path}:{number}", number, fields)
            if question.id in questions:
                earlier = questions[question.id].where.rpartition(":")[2]
                raise InputError(
                    question.where, expected="a new id", got=f"{question.id!r} of line {earlier}"
                )
            questions[question.id] = question
    if not questions:
        raise InputError("questions", expected="at least one line", got=f"{path}: none")
    return list(questions.values())


def read_gsm8k(folder: Path, split: str, limit: int | None = None) -> list[Question]:
    """The `test` or `train` questions of GSM8K, from a folder with `test.jsonl`, `train.jsonl`."""
    file = folder / f"{split}.jsonl"
    if not file.is_file():
        raise InputError(
            "--data", expected="a folder with GSM8K's test.jsonl and train.jsonl",
            got=f"no {file}", fix=f"fetch them from {_SOURCE}",
        )  # fmt: skip
    return read_questions(file, Fields(), limit)


def _parse(line: bytes, where: str, number: int, fields: Fields) -> Question:
    data = _object(line, where)
    has_id = fields.id is not None or "id" in data
    id_ = _field(data, fields.id or "id", where) if has_id else number
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise InputError(f"{where}: id", expected="a string or an integer", got=_short(id_))
    text = _field(data, fields.question, where)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{where}: {fields.question}", expected="a text", got=_short(text))
    answer = _field(data, fields.answer, where)
    if isinstance(answer, int | Decimal) and not isinstance(answer, bool):
        answer = str(answer)
    if not isinstance(answer, str):
        raise InputError(
            f"{where}: {fields.answer}", expected="a text or a number", got=_short(answer)
        )
    gold = answer.rpartition("####")[2].strip()
    if not gold:
        raise InputError(f"{where}: {fields.answer}", expected="an answer", got=_short(answer))
    for name, value in ((fields.question, text), (fields.answer, gold), ("id", id_)):
        if any("\ud800" <= c <= "\udfff" for c in str(value)):
            raise InputError(
                f"{where}: {name}", expected="Unicode without lone surrogates", got=_short(value)
            )
    return Question(id_, text, gold, where)


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"), parse_float=Decimal)
    except json.JSONDecodeError as error:
        got = f"{error.msg} (column {error.colno})"
        raise InputError(where, expected="a JSON object", got=got) from None
    except UnicodeDecodeError as error:
        raise InputError(where, expected="UTF-8", got=error.reason) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, deep nesting
        raise InputError(where, expected="a JSON object", got=error) from None
    if not isinstance(data, dict):
        raise InputError(where, expected="a JSON object", got=_short(data))
    return data


def _field(data: dict[str, Any], name: str, where: str) -> object:
    if name not in data:
        had = ", ".join(map(repr, data)) or "none"
        raise InputError(where, expected=f"a field {name!r}", got=_short(had))
    return data[name]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
