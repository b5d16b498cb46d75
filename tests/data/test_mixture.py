"""The stream of conversations: the same for a seed, right in every family."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from motet.data.tiny.disguise import Disguise
from motet.data.tiny.lines import Task
from motet.data.tiny.mixture import TaskSource, draw_conversation, held_out_problems
from motet.data.tiny.needless import Needless
from motet.data.tiny.number_words import find_numbers, in_words
from motet.data.tiny.sums import draw_sum
from motet.data.tiny.tokenizer import END, SILENCE


def test_a_conversation_is_a_function_of_seed_and_index(
    source: TaskSource, tokenizer: Tokenizer
) -> None:
    later = draw_conversation(source, tokenizer, 3, 11)
    for index in range(5):
        draw_conversation(source, tokenizer, 3, index)
    again = draw_conversation(source, tokenizer, 3, 11)
    other = draw_conversation(source, tokenizer, 4, 11)
    assert np.array_equal(later.tokens_RC, again.tokens_RC)
    assert np.array_equal(later.targets_RC, again.targets_RC)
    assert not np.array_equal(later.tokens_RC, other.tokens_RC)


def test_held_out_problems_are_fixed_by_their_seed() -> None:
    assert held_out_problems(80, 1) == held_out_problems(80, 1)
    assert held_out_problems(80, 1) != held_out_problems(80, 2)
    assert held_out_problems(40, 1) == held_out_problems(80, 1)[:40]


def test_sums_are_right() -> None:
    rng = Random(0)
    for _ in range(1_000):
        task = draw_sum(rng)
        assert task.lines[-1].text.endswith(task.answer)
        assert task.answer in task.reply


def test_a_disguise_keeps_numbers_and_what_the_reply_repeats() -> None:
    task = Task("Otto fed 12 otters half of 40 fish.", (), "Otto has 20 fish.", "20", "problem", "")
    disguise = Disguise(frozenset({"otto", "fed", "otters", "fish", "half"}), ("lamps",))
    questions = {disguise.exchange_words(task, Random(seed)).question for seed in range(50)}
    assert "Otto lamps 12 lamps half of 40 fish." in questions
    assert all(q.startswith("Otto ") and q.endswith(" of 40 fish.") for q in questions)


def test_a_needless_sentence_adds_a_number_and_leaves_the_rest() -> None:
    first, second = "A baker fills 7 trays.", "How many loaves are on 3 trays of 12?"
    task = Task(f"{first} {second}", (), "36", "36", "problem", "")
    needless, places = Needless.of_package(), set()
    for seed in range(300):
        question = needless.add(task, Random(seed)).question
        assert first in question
        assert question.endswith(second)
        assert 4 <= len(list(find_numbers(question))) <= 5
        assert "{" not in question
        assert question.count("aker") == 1
        places.add(question.index(first) == 0)
    assert places == {True, False}


def test_numbers_are_found_as_they_are_written() -> None:
    text = "Twenty-five of 1,200 cats, 7 dogs, a dozen eggs and seventeen; one day."
    assert [number.value for number in find_numbers(text)] == [25, 1200, 7, 12, 17]
    for n in range(2, 100):
        assert [number.value for number in find_numbers(in_words(n))] == [n]


@given(st.text())
def test_any_text_survives_the_tokenizer(tokenizer: Tokenizer, text: str) -> None:
    if SILENCE in text or END in text:
        return
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids) == text


def test_every_digit_is_a_token(tokenizer: Tokenizer) -> None:
    encoding = tokenizer.encode("147+38: 7+8=15, 4", add_special_tokens=False)
    assert encoding.tokens == [*"147+38", ":Ġ", *"7+8=15", ",Ġ", "4"]
