"""What is said too early is found, with its reason; what could be known is left alone."""

from __future__ import annotations

import pytest

from motet.data.table import Table
from motet.data.verify import check_arithmetic, check_causality, check_table
from tests.data.verify.conversations import silent, table_of

QUESTION = "What| is| 47| +| 38|?$"


def kinds(table: Table, *, faults: bool = True) -> list[tuple[str, str | None, int | None]]:
    found = check_causality(table)
    return [(f.kind, f.channel, f.row) for f in found if f.is_fault is faults]


def test_two_rows_after_it_was_read_a_number_is_known() -> None:
    assert kinds(table_of(QUESTION, "", silent(4) + "47|||38")) == []


def test_one_row_after_it_was_read_it_is_not() -> None:
    early = table_of(QUESTION, "", silent(3) + "47|||| 38")
    assert kinds(early) == [("unread", "Think", 3)]
    (finding,) = check_causality(early)
    assert "row 2" in finding.what
    assert [f.kind for f in check_causality(early, lag=1)] == []


def test_a_number_of_several_pieces_is_known_when_its_last_one_was_read() -> None:
    question = "Is| 1|2|5| odd|?$"
    assert kinds(table_of(question, "", silent(4) + "125")) == [("unread", "Think", 4)]
    assert kinds(table_of(question, "", silent(5) + "125")) == []


def test_a_result_may_be_said_where_it_is_computed() -> None:
    assert kinds(table_of(QUESTION, "", silent(6) + "47|+|38|=|85")) == []


def test_a_result_of_what_is_not_read_yet_is_foreseen() -> None:
    table = table_of(QUESTION, silent(4) + "85.$", silent(7) + "47+38=85")
    assert kinds(table) == [("unread", "Output", 4)]


def test_output_waits_for_what_another_channel_computes() -> None:
    thinks = silent(7) + "47|+38|=|85"
    assert kinds(table_of(QUESTION, silent(11) + "85", thinks)) == [("uncomputed", "Output", 11)]
    assert kinds(table_of(QUESTION, silent(12) + "85", thinks)) == []


def test_who_checks_may_compute_the_same_at_the_same_time() -> None:
    thinks = silent(7) + "47|+|38|=|85"
    doubts = silent(8) + "47|+|38|=|85| ok"
    assert kinds(table_of(QUESTION, "", thinks, doubts)) == []


def test_what_is_announced_or_never_explained_is_no_fault() -> None:
    announced = table_of(QUESTION, "", silent(7) + "It is 85 because |47+38=85")
    assert kinds(announced) == []
    assert kinds(announced, faults=False) == [("announced", "Think", 7)]
    constant = table_of("How| many| hours|?$", "", silent(6) + "3|*|13|=|39")
    assert kinds(constant, faults=False) == [
        ("unexplained", "Think", 6),
        ("unexplained", "Think", 8),
    ]


def test_what_is_computed_in_words_is_no_fault() -> None:
    doubts = silent(16) + "47|+|38|=|85"
    words = silent(7) + "That| is| 47| and| 38|, or| 85"
    assert kinds(table_of(QUESTION, "", words, doubts)) == []
    assert kinds(table_of(QUESTION, "", silent(7) + "It| is| 85", doubts)) == [
        ("uncomputed", "Think", 9)
    ]


def test_words_that_imply_a_number_make_it_known() -> None:
    question = "Half| a| dozen| in| a| week|?$"
    assert check_causality(table_of(question, "", silent(8) + "12|/|2|=|6, |7")) == []
    spelled = table_of("Take| twenty-five|.$", "", silent(5) + "25")
    assert check_causality(spelled) == []


def test_what_the_user_says_in_a_later_message_is_chance() -> None:
    table = table_of("Hi|.$||||||||And| 12|?$", "", silent(4) + "12| is| nice")
    assert kinds(table) == []
    assert kinds(table, faults=False) == [("unexplained", "Think", 4)]


def test_the_marks_of_a_list_are_no_numbers() -> None:
    table = table_of("Are| there| 3| of| them|?$", "", silent(1) + "Step 3:| look.|\n3.| count")
    assert check_causality(table) == []


def test_names_are_known_when_they_were_read() -> None:
    question = "Yesterday| the| girl| Natalia| sold| clips|.$"
    assert kinds(table_of(question, "", silent(4) + "So| Natalia")) == []
    assert kinds(table_of(question, "", silent(3) + "So| Natalia")) == [("unread", "Think", 4)]
    assert kinds(table_of("Natalia| met| Natalia|.$", "", silent(2) + "So Natalia")) == []


def test_an_answer_before_the_question_ends() -> None:
    early = table_of("Take| two| more| than| 7|.$", silent(3) + "9", answer="9")
    assert kinds(early) == [("answer", "Output", 3)]
    assert kinds(table_of("Take| two| more| than| 7|.$", silent(9) + "9", answer="9")) == []


@pytest.mark.parametrize(("start", "found"), [(2, [("ahead", "Output", 2)]), (3, []), (4, [])])
def test_wait_k(start: int, found: list[object]) -> None:
    table = table_of("Tell| me| about| the| sea|.$", silent(start) + "The| sea", wait_k=3)
    assert kinds(table) == found


def test_a_short_question_may_be_answered_when_it_has_ended() -> None:
    assert kinds(table_of("Hi|.$", silent(3) + "Hello", wait_k=9)) == []


def test_planted_mistakes_are_counted_apart() -> None:
    thinks = silent(3) + "3+4=|8|\n3+4=|7"
    planted = check_arithmetic(table_of("3| and| 4$", "", thinks, planted=[4]))
    assert planted.counts == {"planted": 1, "right": 1}
    assert [(f.kind, f.is_fault, f.row) for f in planted.findings] == [("planted", False, 4)]
    meant = check_arithmetic(table_of("3| and| 4$", "", thinks))
    assert [(f.kind, f.is_fault) for f in meant.findings] == [("wrong", True)]
    unhurt = check_arithmetic(table_of("3| and| 4$", "", thinks, planted=[6]))
    assert unhurt.counts == {"wrong": 1, "right": 1, "unhurt": 1}


def test_a_result_that_was_broken_off_is_not_judged() -> None:
    assert check_arithmetic(table_of("a$", "", "9+5=|1|$")).counts == {}
    assert check_arithmetic(table_of("a$", "", "9+5=|1|.$")).counts == {"wrong": 1}
    assert check_arithmetic(table_of("a$", "", "9+5=|2|$")).counts == {"wrong": 1}


def test_what_the_user_says_is_not_judged() -> None:
    assert check_arithmetic(table_of("Is 3+4=8 right?$", "")).findings == []


def test_both_checks_at_once() -> None:
    table = table_of(QUESTION, silent(3) + "47", silent(8) + "47+38=86")
    assert {(f.check.value, f.kind) for f in check_table(table)} == {
        ("causality", "unread"), ("arithmetic", "wrong"),
    }  # fmt: skip


@pytest.mark.parametrize("answer", [None, True, "", "n/a", "1/0", [], "x" * 50])
def test_any_answer_in_meta_is_fine(answer: object) -> None:
    check_causality(table_of("Take| 7|.$", silent(5) + "9|9", answer=answer, wait_k="3"))
