"""Questions from files: what is read, and what is refused where."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import InputError
from motet.eval.questions.question import Fields, read_gsm8k, read_questions


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "questions.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("".join(text + "\n" for text in texts), "utf-8")
    return file


def test_lines_become_questions(tmp_path: Path) -> None:
    file = written(
        tmp_path, {"question": "a?", "answer": 7}, "", {"question": "b?", "answer": "x", "id": "k"},
        {"question": "c?", "answer": "6*7=<<6*7=42>>42\n#### 42", "id": 9, "more": []},
        {"question": "d?", "answer": 0.10},
    )  # fmt: skip
    found = [(q.id, q.text, q.answer) for q in read_questions(file)]
    assert found == [(1, "a?", "7"), ("k", "b?", "x"), (9, "c?", "42"), (5, "d?", "0.1")]
    assert [q.id for q in read_questions(file, limit=2)] == [1, "k"]


def test_fields_have_names(tmp_path: Path) -> None:
    file = written(tmp_path, {"Q": "a?", "A": "7", "n": 3, "id": 4})
    (question,) = read_questions(file, Fields("Q", "A", "n"))
    assert (question.id, question.text, question.answer) == (3, "a?", "7")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "questions.jsonl:2: expected a JSON object"),
        ("[]", "questions.jsonl:2: expected a JSON object, got []"),
        ({"answer": 1}, "questions.jsonl:2: expected a field 'question'"),
        ({"question": "a?"}, "expected a field 'answer'"),
        ({"question": " ", "answer": 1}, "questions.jsonl:2: question: expected a text"),
        ({"question": "a?", "answer": True}, "answer: expected a text or a number, got True"),
        ({"question": "a?", "answer": None}, "answer: expected a text or a number, got None"),
        ({"question": "a?", "answer": "step\n####"}, "answer: expected an answer"),
        ({"question": "a?", "answer": 1, "id": 1.5}, "id: expected a string or an integer"),
        ({"question": "a?", "answer": 1, "id": 1}, "expected a new id, got 1 of line 1"),
        ('{"question": "\\ud800", "answer": 1}', "expected Unicode without lone surrogates"),
        ('{"question": "a?", "answer": ' + "9" * 5000 + "}", "expected a JSON object"),
        ("[" * 100_000, "expected a JSON object"),
    ],
)
def test_the_first_broken_line_is_named(tmp_path: Path, line: Any, complaint: str) -> None:
    file = written(tmp_path, {"question": "a?", "answer": 1, "id": 1}, line)
    with pytest.raises(InputError) as error:
        read_questions(file)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_no_lines(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path, written(tmp_path, "")):
        with pytest.raises(InputError, match="questions: expected"):
            read_questions(path)
    with pytest.raises(InputError, match="--data: expected a folder with GSM8K's"):
        read_gsm8k(tmp_path, "test")


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_file_is_read_or_refused(tmp_path_factory: Any, lines: list[bytes]) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "q.jsonl"
    file.write_bytes(b"\n".join([b'{"question": "a?", "answer": 1}', *lines]))
    with suppress(InputError):
        assert read_questions(file)[0].text == "a?"
