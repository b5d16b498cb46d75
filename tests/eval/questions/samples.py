"""Trials and engines that tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.engine import Engine, StopReason
from motet.eval.questions.judging import Outcome
from motet.eval.questions.question import Question
from motet.eval.questions.trial import Trial, Voice
from motet.streams import StreamCodec
from motet.streams.grid import Tokens
from tests.engine.scripted import (
    CERTAIN,
    END,
    GREEDY,
    SILENCE,
    VOCAB_SIZE,
    ScriptedRuntime,
    byte_tokenizer,
    id_of,
    layout_of,
)

LETTERS = {id_of(chr(c)): chr(c) for c in range(33, 127)}


def trial(
    id_: int | str = 1, outcome: Outcome = Outcome.RIGHT, *, sample: int = 0,
    answer: str | None = "7", gold: str = "7", wait_rows: int | None = 3, num_rows: int | None = 10,
) -> Trial:  # fmt: skip
    """A trial of a model with Output and Think."""
    voices = {"Output": Voice(2, 7, 9), "Think": Voice(0, None, None)}
    return Trial(
        id=id_, sample=sample, seed=5, gold=gold, outcome=outcome, answer=answer,
        channels={"User": "?", "Output": "It is 7."},
        stopped_by=StopReason.MAX_ROWS if outcome is Outcome.ENDLESS else StopReason.END,
        num_rows=num_rows, wait_rows=wait_rows, voices=voices,
    )  # fmt: skip


def questions_of(**golds: str) -> list[Question]:
    """Questions whose text is their id."""
    return [Question(id_, f"{id_}?", gold, f"q.jsonl:{n}") for n, (id_, gold) in
            enumerate(golds.items(), start=1)]  # fmt: skip


def parrot(replies: dict[str, str], *, wait: int = 2, thought: str = "hm") -> Engine[Any]:
    """Says to each question what `replies` has for it; `$` is the end token, "" stays mute.

    It thinks while the User still speaks and begins to reply `wait` rows after the User's end.
    """
    layout = layout_of("Think")

    def predict(tokens_RC: Tokens) -> NDArray[np.float32]:
        user = tokens_RC[:, 0].tolist()
        wants = [SILENCE.id] * 3
        row = len(tokens_RC)
        if END.id in user:
            heard = "".join(LETTERS.get(token, "") for token in user)
            place = row - user.index(END.id) - wait
            reply = replies[heard]
            if 0 <= place < len(reply):
                mark = reply[place]
                wants[1] = END.id if mark == "$" else id_of("." if mark == " " else mark)
        if 2 <= row < 2 + len(thought):
            wants[2] = id_of(thought[row - 2])
        elif row == 2 + len(thought):
            wants[2] = END.id
        logits = np.zeros((3, VOCAB_SIZE), np.float32)
        logits[np.arange(3), wants] = CERTAIN
        return logits

    codec = StreamCodec(byte_tokenizer(), layout)
    return Engine("parrot", ScriptedRuntime(layout, predict), codec, GREEDY)


def quiet_settings(engine: Engine[Any], **changes: Any) -> Any:
    """Settings without penalties: what is scripted is said."""
    return engine.settings(silence_penalty_output=0.0, silence_penalty_thought=0.0, **changes)
