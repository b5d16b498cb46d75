"""The same task as streams and as a sequence: the same words, in an order that can be followed."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from motet.data.tiny import mixture
from motet.data.tiny.arithmetic import Step, evaluate
from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation, Target, compose
from motet.data.tiny.lines import Task
from motet.data.tiny.mixture import Shares, TaskSource, draw_conversation, draw_task
from motet.data.tiny.problems import working
from motet.data.tiny.sequence import compose_sequence
from motet.data.tiny.split import Split, Wanted, split_of
from motet.data.tiny.tokenizer import ANSWER, END, SILENCE, SPECIAL_TOKENS, train_tokenizer
from motet.errors import SettingError
from tests.data.test_score import alike_tasks, count_contradictions

OUTPUT, THINK, SKEPTICAL = 1, 2, 3
ALONE = {"second_turn": 0.0, "prefilled": 0.0, "mistake": 0.5}


@pytest.fixture(scope="module")
def sequence_tokenizer(source: TaskSource) -> Tokenizer:
    rng = Random(0)
    texts = (t for _ in range(600) for t in source.draw(rng).texts)
    return train_tokenizer(texts, 700, (*SPECIAL_TOKENS, ANSWER))


@pytest.fixture(scope="module")
def alone() -> TaskSource:
    return TaskSource.of_package(Shares(**ALONE))


def said(conversation: Conversation, channel: int, tokenizer: Tokenizer) -> str:
    tokens = conversation.tokens_RC[:, channel].tolist()
    silence = tokenizer.token_to_id(SILENCE)
    text: str = tokenizer.decode([t for t in tokens if t != silence], skip_special_tokens=False)
    return text


def pieces(working: str) -> list[str]:
    """Notes, lines and verdicts."""
    return [piece for piece in re.split(r"\n|\.", working) if piece]


def two_steps() -> Task:
    steps = [Step(47, "+", 38), Step(85, "-", 5)]
    return Task("47, 38 and 5?", working(steps), "It is 80.", "80", "problem", "test")


def test_what_a_sequence_says(sequence_tokenizer: Tokenizer) -> None:
    plain = compose_sequence(two_steps(), sequence_tokenizer, Random(0), doubted=False)
    first, last = "47+38: 7+8=15, 4+3+1=8 -> 85", "85-5: 5-5=0 -> 80"
    head = "47, 38 and 5?\n47 38 5\n"
    assert said(plain, 0, sequence_tokenizer) == (
        f"{head}{first}\n{last}.{ANSWER}It is 80.{END}"
    )  # fmt: skip
    doubted = compose_sequence(two_steps(), sequence_tokenizer, Random(0), doubted=True)
    assert said(doubted, 0, sequence_tokenizer) == (
        f"{head}{first}\n: 7+8=15, 4+3+1=8 -> 85 ok\n{last}.: 5-5=0 -> 80 ok{ANSWER}It is 80.{END}"
    )
    question = 1 + len(sequence_tokenizer.encode("47, 38 and 5?\n").ids)
    assert (plain.targets_RC[:question] == Target.NONE).all()
    assert (plain.targets_RC[question:] != Target.NONE).all()


def test_both_arrangements_of_an_index_have_the_same_words_and_mistakes(
    sequence_tokenizer: Tokenizer, alone: TaskSource
) -> None:
    num_planted = 0
    for index in range(150):
        streams, sequence = (
            draw_conversation(alone, sequence_tokenizer, 3, index, arrangement)
            for arrangement in (Arrangement.STREAMS, Arrangement.SEQUENCE)
        )
        assert streams.tasks == sequence.tasks
        task = streams.tasks[0]
        assert task == draw_task(alone, 3, index)
        text = said(sequence, 0, sequence_tokenizer)
        assert text.startswith(task.question + "\n")
        assert text.endswith(ANSWER + task.reply + END)
        worked = pieces(text.removeprefix(task.question + "\n").partition(ANSWER)[0])
        has_notes = len(worked) % 2
        for channel, lines in (
            (THINK, worked[:has_notes] + worked[has_notes::2]),
            (SKEPTICAL, worked[has_notes + 1 :: 2]),
        ):
            spoken = pieces(said(streams, channel, sequence_tokenizer).replace(END, ""))
            assert len(spoken) == len(lines)
            is_cut = [one != other for one, other in zip(spoken, lines, strict=True)]
            assert sum(is_cut) <= len(streams.planted)
            for one, other in zip(spoken, lines, strict=True):
                assert other.startswith(one.removesuffix(" no"))
                assert one.endswith(" no") == other.endswith(" no")
        assert len(streams.planted) == len(sequence.planted) == text.count(" no\n")
        num_planted += len(sequence.planted)
        for row in sequence.planted:
            assert sequence.targets_RC[row, 0] == Target.NONE
    assert num_planted > 30


def test_a_wrong_line_of_a_sequence_is_not_learned(sequence_tokenizer: Tokenizer) -> None:
    rng = Random(5)
    for _ in range(100):
        sequence = compose_sequence(
            two_steps(), sequence_tokenizer, rng, mistake_share=1.0, doubted=True
        )
        learned = sequence.tokens_RC[sequence.targets_RC != Target.NONE].tolist()
        text: str = sequence_tokenizer.decode(learned, skip_special_tokens=False)
        right = compose_sequence(two_steps(), sequence_tokenizer, rng, doubted=True)
        assert text.count(" ok") == 2
        assert text.count(" no") == 1
        for line in said(right, 0, sequence_tokenizer).split("\n")[2:]:
            assert line.partition(".")[2] in text


def test_without_doubt_nothing_is_waited_for(sequence_tokenizer: Tokenizer) -> None:
    with_doubt = compose([two_steps()], sequence_tokenizer, Random(0))
    without = compose([two_steps()], sequence_tokenizer, Random(0), doubted=False)
    assert without.tokens_RC.shape[1] == 3
    for channel in (0, OUTPUT, THINK):
        texts = [said(c, channel, sequence_tokenizer) for c in (with_doubt, without)]
        assert texts[0] == texts[1]
    silence = sequence_tokenizer.token_to_id(SILENCE)
    ended = int(np.flatnonzero(without.tokens_RC[:, THINK] != silence)[-1])
    begun = int(np.flatnonzero(without.tokens_RC[:, OUTPUT] != silence)[0])
    assert begun == ended + 1, "Think's full stop, its end beside nothing, then Output"
    assert len(without.tokens_RC) < len(with_doubt.tokens_RC)
    with pytest.raises(AssertionError, match="objects"):
        compose([two_steps()], sequence_tokenizer, Random(0), mistake_share=0.5, doubted=False)


def test_without_doubt_no_cell_depends_on_what_is_not_yet_visible(tokenizer: Tokenizer) -> None:
    rng = Random(0)
    tasks = list(alike_tasks())
    contradictions, repeated = count_contradictions(
        [compose([task], tokenizer, rng, doubted=False) for task in tasks]
    )
    assert contradictions == 0
    assert repeated > 1_000


def test_the_split_is_by_calculation(source: TaskSource) -> None:
    one = Task("", working([Step(47, "+", 38)]), "", "85", "sum", "")
    other = Task("?", working([Step(38, "+", 47)]), "85.", "85", "problem", "")
    assert split_of(one) is split_of(other)
    rng = Random(1)
    sums = Shares.changed({"sum": 1.0})
    sides = {split: TaskSource.of_package(sums, Wanted(split)) for split in Split}
    keys = {
        split: {tuple(line.step for line in side.draw(rng).lines) for _ in range(500)}
        for split, side in sides.items()
    }
    assert keys[Split.TRAIN] & keys[Split.TEST] <= {(None,)}, "comparisons have no steps"
    drawn = Counter(split_of(source.draw(rng)) for _ in range(2_000))
    assert 0.05 < drawn[Split.TEST] / 2_000 < 0.15


def test_easy_tasks_can_be_asked_for() -> None:
    easy = TaskSource.of_package(Shares(), Wanted(max_number=50, max_steps=1))
    rng = Random(0)
    for _ in range(300):
        lines = easy.draw(rng).lines
        assert len(lines) <= 1
        for step in (line.step for line in lines if line.step is not None):
            assert max(step.x, step.y, evaluate(step)) <= 50


def test_templates_and_shares_are_chosen_by_name() -> None:
    shares = Shares.changed({"problem": 1.0, "disguised": 0.0, "needless": 0.0})
    assert (shares.sum, shares.story, shares.mistake) == (0.0, 0.0, Shares().mistake)
    source = TaskSource.of_files(shares, ["train_one_step"])
    rng = Random(0)
    places = {source.draw(rng).place.partition(":")[0] for _ in range(100)}
    assert places == {"train_one_step.txt"}
    assert Shares.changed({"mistake": 0.1}).story == Shares().story


@pytest.mark.parametrize("name", ["heldout", "development", "train_none", "../train_one_step"])
def test_only_training_templates_can_be_chosen(name: str) -> None:
    with pytest.raises(SettingError, match="train_"):
        TaskSource.of_files(Shares(), [name])


@pytest.mark.parametrize("values", [{"poems": 1.0}, {"sum": 0.0}])
def test_shares_that_make_no_sense_are_told(values: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=r"poems|more than 0"):
        mixture.Shares.changed(values)
