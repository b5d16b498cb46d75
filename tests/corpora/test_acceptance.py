"""Each reason not to keep a conversation, and that a good one has none."""

from __future__ import annotations

import json

import pytest

from motet.corpora.acceptance import check_conversation
from motet.corpora.dropping import Dropped, DroppedError
from motet.corpora.prompt import load_prompt
from motet.corpora.sound import check_planted, check_sound
from motet.corpora.written import read_written
from motet.data.table import Table
from tests.corpora.conversations import CHANNELS, GOOD, PLANTED

PROMPT = load_prompt("problem")
QUESTION = "Tom has 3 apples and buys 4. How many?"
LINES = GOOD.splitlines()
SAYS_LITTLE = '{"User": "Hm."}\n' * 5


def check(text: str, question: str | None = None, answer: str | None = None) -> None:
    check_conversation(read_written(text, CHANNELS).rows, PROMPT, question, answer)


@pytest.mark.parametrize("answer", [None, "7", "7.0", "seven"])
@pytest.mark.parametrize("question", [None, QUESTION, QUESTION.replace(" ", "\n ")])
def test_a_good_one(question: str | None, answer: str | None) -> None:
    if answer == "seven":
        answer = "7 apples"
    check(GOOD, question, answer)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Dropped.TOO_FEW_ROWS, "\n".join(LINES[:5])),
        (Dropped.TOO_MANY_ROWS, GOOD.replace("\n{}\n", "\n{}" * 160 + "\n")),
        (Dropped.CROWDED, GOOD.replace("Tom has 3", " ".join(["Tom"] * 11))),
        (Dropped.MUTE, GOOD.replace('"Output"', '"Skeptical"')),
        (Dropped.MUTE, GOOD.replace('"Think"', '"Skeptical"')),
        (Dropped.EARLY, GOOD.replace('"Tom has 3"}', '"Tom has 3", "Think": "?"}')),
        (Dropped.EARLY, '{"Output": "Hello<end>"}\n' + GOOD),
        (Dropped.UNANSWERED, GOOD + '\n{}\n{"User": "Why?<end>"}'),
        (Dropped.SEQUENTIAL, GOOD.replace(', "Think": "3"}', "}")),
    ],
)  # fmt: skip
def test_each_reason(reason: Dropped, text: str) -> None:
    with pytest.raises(DroppedError) as caught:
        check(text)
    assert caught.value.reason is reason


@pytest.mark.parametrize("question", ["Tom has 3 apples.", QUESTION + "?", QUESTION.lower()])
def test_the_user_says_what_was_given(question: str) -> None:
    with pytest.raises(DroppedError) as caught:
        check(GOOD, question)
    assert caught.value.reason is Dropped.OTHER_QUESTION


@pytest.mark.parametrize("answer", ["8", "-7", "70", "3"])
def test_output_comes_to_the_answer(answer: str) -> None:
    with pytest.raises(DroppedError) as caught:
        check(GOOD, QUESTION, answer)
    assert caught.value.reason is Dropped.WRONG_ANSWER


def test_an_interruption_may_leave_the_last_word_to_the_user() -> None:
    text = GOOD + '\n{"User": "Stop.<end>"}\n{}'
    rows = read_written(text, CHANNELS).rows
    check_conversation(rows, load_prompt("interruption"))
    with pytest.raises(DroppedError):
        check_conversation(rows, PROMPT)


def table(text: str) -> Table:
    rows = read_written(text, CHANNELS).rows
    return Table("a", PROMPT.channels, rows, {"source": "here", "answer": "7"})


WRONG = GOOD.replace("+4=7<end>", "3+4=8")


def test_what_can_be_true() -> None:
    check_sound(table(GOOD))


@pytest.mark.parametrize(
    ("reason", "text", "is_planted"),
    [
        (Dropped.FORESEEN, GOOD.replace('"Think": "3"', '"Think": "3, 4"'), False),
        (Dropped.FORESEEN, GOOD.replace('"Think": "3"', '"Output": "Is it 7?<end>"'), False),
        (Dropped.WRONG_SUM, WRONG, False),
        (Dropped.WRONG_SUM, GOOD.replace("3+4=7 ok", "3+4=9 ok"), True),
        (Dropped.NOT_PLANTED, GOOD, True),
    ],
)
def test_what_can_not(reason: Dropped, text: str, is_planted: bool) -> None:
    with pytest.raises(DroppedError) as caught:
        check_planted(table(text), "Think") if is_planted else check_sound(table(text))
    assert caught.value.reason is reason


def test_a_wrong_step_that_was_asked_for_is_marked_and_not_learned() -> None:
    planted = check_planted(table(PLANTED), "Think")
    (row,) = planted.meta["planted"]
    cell = planted.rows[row][2]
    assert cell is not None
    assert "3+4=8" in cell.text
    assert planted.meta["unlearned"] == [["Think", row, row]]


def test_an_end_alone_is_no_word() -> None:
    lines = [json.loads(line) for line in LINES]
    lines[0]["Think"] = "<end>"
    check("\n".join(map(json.dumps, lines)))
