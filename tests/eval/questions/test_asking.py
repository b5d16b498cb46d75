"""Questions to models whose replies are known: what is heard, counted and judged."""

from __future__ import annotations

from typing import Any

import pytest

from motet.engine import StopReason
from motet.errors import InputError, SettingError
from motet.eval.questions.asking import EngineAsker, evaluate
from motet.eval.questions.judging import Outcome
from motet.eval.questions.question import Question
from motet.eval.questions.trial import Ask, Said, Voice, asks_of
from tests.engine.scripted import dreaming_engine
from tests.eval.questions.samples import parrot, questions_of, quiet_settings
from tests.server.openai.engines import one_channel_engine

REPLIES = {"a?": ":7$", "b?": ":8$", "c?": "", "d?": "who$", "e?": "9" * 40}
GOLDS = {"a": "7", "b": "7", "c": "7", "d": "7", "e": "7"}


def test_what_becomes_of_each_question() -> None:
    engine = parrot(REPLIES, wait=4)
    settings = quiet_settings(engine, max_rows=30)
    trials = evaluate(engine, questions_of(**GOLDS), settings)
    assert [t.id for t in trials] == list(GOLDS)
    assert [t.outcome for t in trials] == [
        Outcome.RIGHT, Outcome.WRONG, Outcome.MUTE, Outcome.UNPARSABLE, Outcome.ENDLESS,
    ]  # fmt: skip
    assert [t.ended for t in trials] == [True, True, False, True, False]
    assert [t.answer for t in trials[:4]] == ["7", "8", None, None]
    assert trials[0].channels == {"User": "a?", "Output": ":7", "Think": "hm"}


def test_rows_are_counted_from_the_question() -> None:
    """Row 0 is silent, the User says "a", "?", end in rows 1 to 3; the reply begins at 3 + wait."""
    for wait in (1, 2, 5):
        engine = parrot({"a?": ":7$"}, wait=wait)
        (trial,) = evaluate(engine, questions_of(a="7"), quiet_settings(engine))
        assert trial.wait_rows == wait
        assert trial.voices is not None
        assert trial.voices["Output"] == Voice(3, 3 + wait, 5 + wait)  # with its end
        assert trial.voices["Think"] == Voice(3, 2, 4)
        assert trial.num_rows == 6 + wait


def test_a_reply_begins_behind_its_mark() -> None:
    engine = parrot({"a?": "3+4=7>:8$", "b?": "7$"})
    settings = quiet_settings(engine)
    marked, without = evaluate(engine, questions_of(a="8", b="7"), settings, answer_after=">")
    assert (marked.outcome, marked.answer) == (Outcome.RIGHT, "8")
    assert marked.wait_rows == 2 + len("3+4=7>")
    assert (without.outcome, without.wait_rows) == (Outcome.MUTE, None)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_answers_do_not_depend_on_the_batch_or_on_the_order(batch_size: int) -> None:
    questions = questions_of(a="1", b="2", c="3", d="4")
    said: list[dict[tuple[Any, int], str]] = []
    for order in (questions, questions[::-1]):
        engine = dreaming_engine()
        settings = quiet_settings(engine, max_rows=24)
        trials = evaluate(
            engine, order, settings, num_samples=2, seed=3,
            batch_size=batch_size if order is questions else 8,
        )  # fmt: skip
        said.append({(t.id, t.sample): t.channels["Output"] for t in trials})
    assert said[0] == said[1]
    assert len(set(said[0].values())) > 4  # seeds differ


def test_a_seed_belongs_to_its_sample_alone() -> None:
    few, many = (asks_of(questions_of(a="1", b="2"), k, seed=9) for k in (1, 3))
    seeds = {(ask.question.id, ask.sample): ask.seed for ask in many}
    assert all(seeds[ask.question.id, ask.sample] == ask.seed for ask in few)
    assert len(set(seeds.values())) == 6
    assert asks_of(questions_of(a="1"), 1, seed=8)[0].seed != seeds["a", 0]


def test_the_prompt_holds_the_question() -> None:
    (ask,) = asks_of(questions_of(a="1"), 1, 0, "Q: {question}\n")
    assert ask.text == "Q: a?\n"


def test_samples_that_would_be_the_same_are_refused() -> None:
    engine = parrot(REPLIES)
    with pytest.raises(SettingError, match="samples: expected 1 with temperature 0"):
        evaluate(engine, questions_of(a="7"), engine.settings(), num_samples=2)


def test_a_question_that_cannot_be_asked_is_named_or_left_out() -> None:
    engine = parrot(REPLIES)
    settings = quiet_settings(engine, max_rows=16)
    long = Question("long", "x" * 99, "1", "q.jsonl:2")
    questions = [*questions_of(a="7"), long]
    with pytest.raises(InputError, match=r"q\.jsonl:2: message: expected fewer tokens"):
        evaluate(engine, questions, settings)
    heard: list[Any] = []
    refused: list[Any] = []

    def hear(ask: Ask, said: Said) -> None:
        heard.append(ask.question.id)

    EngineAsker(engine, settings).ask(
        asks_of(questions, 1, 0), hear, 4, lambda ask, _: refused.append(ask.question.id)
    )
    assert (heard, refused) == (["a"], ["long"])


def test_a_chat_model_is_asked_through_its_template() -> None:
    engine = one_channel_engine("<think>7 or 8?</think>\n\nIt is 7.")
    questions = questions_of(a="7")
    (trial,) = evaluate(engine, questions, engine.settings())
    assert (trial.outcome, trial.stopped_by) == (Outcome.RIGHT, StopReason.END)
    assert trial.wait_rows == len(engine.codec.encode("7 or 8?\n\n")) + 3


def test_any_end_token_of_a_chat_model_ends_its_reply() -> None:
    engine = one_channel_engine("It is 7.<|end|> and 8")
    (trial,) = evaluate(engine, questions_of(a="7"), engine.settings())
    assert (trial.outcome, trial.answer, trial.ended) == (Outcome.RIGHT, "7", True)


def test_plain_asks_without_the_template() -> None:
    engine = one_channel_engine("It is 7.")
    heard: list[Said] = []
    asker = EngineAsker(engine, engine.settings(max_rows=8), plain=True)
    asker.ask(asks_of(questions_of(a="7"), 1, 0), lambda _, said: heard.append(said), 1)
    assert "assistant" not in heard[0].channels["Output"]
    assert heard[0].rows[0].token_ids == (0,)  # what opens every text of the model
