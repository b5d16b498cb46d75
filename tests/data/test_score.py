"""Timing: every learned cell follows from what its channel could see when it was predicted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from motet.data.tiny import conversation as composing
from motet.data.tiny import score
from motet.data.tiny.arithmetic import Step
from motet.data.tiny.conversation import Conversation, Target, compose
from motet.data.tiny.letters import draw_letter_task
from motet.data.tiny.lines import Task
from motet.data.tiny.problems import working, working_value
from motet.data.tiny.talk import draw_stop
from motet.data.tiny.tokenizer import END, SILENCE

USER, OUTPUT, THINK, SKEPTICAL = range(4)
NUMBERS = {"4": 4, "47": 47, "1,200": 1200, "seven": 7, "seventeen": 17, "twenty": 20,
           "twenty-five": 25, "a dozen": 12}  # fmt: skip


def alike_tasks() -> Iterator[Task]:
    """Questions that share long beginnings and then differ."""
    for (x, a), (y, b) in product(NUMBERS.items(), repeat=2):
        for ending, op in ((" in all?", "+"), (" if each has as many?", "*"), ("?", "+")):
            steps = [Step(a, op, b)]
            if ending == "?":
                steps.append(Step(a + b, "+", 3))
            answer = str(working_value(steps))
            question = f"Tom has {x}, Ann has {y}. How many{ending}"
            yield Task(question, working(steps), f"{answer}.", answer, "problem", "test")


def count_contradictions(conversations: list[Conversation]) -> tuple[int, int]:
    """(contradictions, cells whose view occurred before).

    Logits at (r, c) see all rows before r and their own cell, and predict (r + 1, c): two learned
    cells with the same view must be the same.
    """
    seen: dict[tuple[int, int, bytes], int] = {}
    contradictions = repeated = 0
    for conversation in conversations:
        tokens_RC, targets_RC = conversation.tokens_RC, conversation.targets_RC
        for r, c in np.argwhere(targets_RC[1:] != Target.NONE):
            view = (int(r), int(c), tokens_RC[:r].tobytes() + tokens_RC[r, c].tobytes())
            token = int(tokens_RC[r + 1, c])
            repeated += view in seen
            contradictions += seen.setdefault(view, token) != token
    return contradictions, repeated


@pytest.mark.parametrize("prefilled", [False, True])
def test_no_cell_depends_on_what_is_not_yet_visible(tokenizer: Tokenizer, prefilled: bool) -> None:
    rng = Random(0)
    conversations = [compose([t], tokenizer, rng, prefilled=prefilled) for t in alike_tasks()]
    contradictions, repeated = count_contradictions(conversations)
    assert contradictions == 0
    assert repeated > 1_000


def test_no_cell_foresees_an_interruption(tokenizer: Tokenizer) -> None:
    rng = Random(0)
    tasks = list(alike_tasks())[::4]
    conversations = [
        compose([task, other], tokenizer, rng, interrupted=True)
        for task in tasks
        for other in (tasks[0], tasks[-1], draw_stop(rng))
    ]
    conversations += [compose([task], tokenizer, rng) for task in tasks]
    contradictions, repeated = count_contradictions(conversations)
    assert contradictions == 0
    assert repeated > 1_000


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_shorter_lag_would_be_noticed(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    for module in (score, composing) if interrupted else (score,):
        monkeypatch.setattr(module, "LAG", 1)
    rng = Random(0)
    tasks = list(alike_tasks())
    conversations = [
        compose([t, *[tasks[0]] * interrupted], tokenizer, rng, interrupted=interrupted)
        for t in tasks
    ]
    assert count_contradictions(conversations)[0] > 0


def said(conversation: Conversation, channel: int, tokenizer: Tokenizer) -> str:
    column = [int(token) for token in conversation.tokens_RC[:, channel]]
    silence = tokenizer.token_to_id(SILENCE)
    return tokenizer.decode([t for t in column if t != silence], skip_special_tokens=False)


def two_step_task() -> Task:
    steps = [Step(47, "+", 38), Step(85, "-", 5)]
    return Task("47, 38 and 5?", working(steps), "It is 80.", "80", "problem", "test")


def test_what_each_voice_says(tokenizer: Tokenizer) -> None:
    conversation = compose([two_step_task()], tokenizer, Random(0))
    assert said(conversation, USER, tokenizer) == f"47, 38 and 5?{END}"
    assert said(conversation, OUTPUT, tokenizer) == f"It is 80.{END}"
    lines = "47+38: 7+8=15, 4+3+1=8 -> 85\n85-5: 5-5=0 -> 80."
    assert said(conversation, THINK, tokenizer) == f"47 38 5\n{lines}{END}"
    checked = ": 7+8=15, 4+3+1=8 -> 85 ok\n: 5-5=0 -> 80 ok"
    assert said(conversation, SKEPTICAL, tokenizer) == f"{checked}{END}"


def test_skeptical_writes_each_token_before_it_can_see_it(tokenizer: Tokenizer) -> None:
    tokens_RC = compose([two_step_task()], tokenizer, Random(0)).tokens_RC
    text = [tokenizer.id_to_token(int(token)) for token in tokens_RC[:, SKEPTICAL]]
    start = next(row for row, token in enumerate(text) if ":" in token)
    shadow = tokens_RC[start : start + 18, SKEPTICAL]
    assert tokenizer.decode(shadow).strip() == ": 7+8=15, 4+3+1=8 -> 85"
    assert tokens_RC[start - score.SHADOW :][:18, THINK].tolist() == shadow.tolist()
    assert score.SHADOW < score.LAG


def test_think_notes_numbers_while_the_user_speaks(tokenizer: Tokenizer) -> None:
    for prefilled in (False, True):
        conversation = compose([two_step_task()], tokenizer, Random(0), prefilled=prefilled)
        user_end = int(np.argmax(conversation.tokens_RC[:, USER] == tokenizer.token_to_id(END)))
        spoken_R = conversation.tokens_RC[:, THINK] != tokenizer.token_to_id(SILENCE)
        assert bool(spoken_R[: user_end + score.LAG].any()) is not prefilled
        if prefilled:
            assert (conversation.targets_RC[1:user_end, THINK] == Target.NONE).all()


def test_a_planted_mistake_is_objected_to_and_never_learned(tokenizer: Tokenizer) -> None:
    rng = Random(5)
    for _ in range(100):
        conversation = compose([two_step_task()], tokenizer, rng, mistake_share=1.0)
        right = compose([two_step_task()], tokenizer, rng)
        skeptical = said(conversation, SKEPTICAL, tokenizer)
        assert skeptical.count(" no\n") == 1
        assert skeptical.count(" ok") == 2
        begun = skeptical.split(" no\n")[0].rpartition("\n")[2]
        lines = said(right, SKEPTICAL, tokenizer).split("\n")
        assert any(line.startswith(begun) for line in lines)
        (row,) = conversation.planted
        (no,) = tokenizer.encode(" no").ids
        assert conversation.tokens_RC[row + score.LAG, SKEPTICAL] == no
        heard = row + 2 * score.LAG
        assert "\n" in tokenizer.decode(conversation.tokens_RC[row : heard + 1, THINK])
        targets_R = conversation.targets_RC[:, THINK]
        learned = conversation.tokens_RC[
            np.isin(targets_R, (Target.SPOKEN, Target.DECISION)), THINK
        ].tolist()
        wrong = conversation.tokens_RC[:, THINK][targets_R == Target.NONE][1:]
        assert len(wrong)
        lines = said(right, THINK, tokenizer)
        assert set(lines.split("\n")) <= set(said(conversation, THINK, tokenizer).split("\n"))
        assert tokenizer.decode(learned).endswith("-> 80.")


def test_turns_follow_each_other(tokenizer: Tokenizer) -> None:
    conversation = compose([two_step_task(), two_step_task()], tokenizer, Random(0))
    assert said(conversation, OUTPUT, tokenizer) == f"It is 80.{END}It is 80.{END}"
    assert said(conversation, SKEPTICAL, tokenizer).count(" ok") == 4


def test_whoever_speaks_ends_when_the_user_cuts_in(tokenizer: Tokenizer) -> None:
    rng = Random(1)
    end, silence = (tokenizer.token_to_id(text) for text in (END, SILENCE))
    num_broken_off = 0
    for _ in range(200):
        stop = Task("Stop.", (), "All right.", "", "talk", "test")
        conversation = compose([two_step_task(), stop], tokenizer, rng, interrupted=True)
        tokens_RC = conversation.tokens_RC
        cut = int(np.argmax(tokens_RC[:, USER] == end)) + 1
        cut += int(np.argmax(tokens_RC[cut:, USER] != silence))
        for channel in (OUTPUT, THINK, SKEPTICAL):
            column_R = tokens_RC[:, channel]
            num_broken_off += column_R[cut + score.LAG] == end
            heard = cut + int(np.argmax(tokens_RC[cut:, USER] == end))
            assert (column_R[cut + score.LAG + 1 : heard + score.LAG] == silence).all()
        assert said(conversation, OUTPUT, tokenizer).endswith(f"All right.{END}")
    assert num_broken_off > 200


def test_letter_tasks_spell_the_word() -> None:
    rng = Random(0)
    for _ in range(300):
        task = draw_letter_task(rng)
        assert task.answer in task.reply
        if task.place == "reverse":
            word = task.lines[0].text.partition(":")[0]
            assert task.answer.replace("-", "") == word[::-1]
