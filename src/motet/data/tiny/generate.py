"""The generated conversations as a dataset: shard i is a function of the settings and i alone.

So shards can be made in any order, in any number of processes, on several machines, and after a
stop; the dataset is the same byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation, Target
from motet.data.tiny.mixture import Shares, TaskSource, draw_conversation, draw_task
from motet.data.tiny.split import Split
from motet.data.tiny.tokenizer import ANSWER, SPECIAL_TOKENS, train_tokenizer
from motet.data.token_grid import TokenGrid

__all__ = ["Generation", "generated_grids", "generated_questions", "learn_tokenizer", "source_of"]

SOURCE = "motet-tiny"
NUM_TOKENIZER_TASKS = 30_000

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Generation(BaseModel):
    """What is generated.

    shares: those of `mixture.Shares` that differ from its defaults. templates: names of the
    package's template files; all if empty. split: only tasks for training or for testing (see
    `split`). decision_weight: in the loss, of the cells that say which step is taken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    num_conversations: Annotated[int, Field(ge=1)]
    conversations_per_shard: Annotated[int, Field(ge=1)] = 4_096
    seed: Annotated[int, Field(ge=0)] = 0
    arrangement: Arrangement = Arrangement.STREAMS
    split: Split | None = None
    shares: dict[str, Share] = {}
    templates: tuple[str, ...] = ()
    decision_weight: Annotated[float, Field(gt=0.0)] = 3.0

    @property
    def num_shards(self) -> int:
        """How many shards it has."""
        return -(-self.num_conversations // self.conversations_per_shard)

    def indices(self, shard: int) -> range:
        """The numbers of the conversations of a shard."""
        start = shard * self.conversations_per_shard
        return range(start, min(start + self.conversations_per_shard, self.num_conversations))


def generated_grids(
    generation: Generation, tokenizer: Tokenizer, shard: int
) -> Iterator[TokenGrid]:
    """The conversations of one shard."""
    source = source_of(generation)
    for index in generation.indices(shard):
        conversation = draw_conversation(
            source, tokenizer, generation.seed, index, generation.arrangement
        )
        yield _grid(conversation, f"{generation.seed}/{index}", generation.decision_weight)


def generated_questions(generation: Generation) -> Iterator[dict[str, Any]]:
    """The questions that have an answer, each once: `id`, `question`, `answer`, `family`."""
    source, asked = source_of(generation), set[str]()
    for index in range(generation.num_conversations):
        task = draw_task(source, generation.seed, index)
        if task.answer and task.question not in asked:
            asked.add(task.question)
            yield {
                "id": f"{generation.seed}/{index}",
                "question": task.question,
                "answer": task.answer,
                "family": task.family,
            }


def source_of(generation: Generation) -> TaskSource:
    """What the tasks are drawn from; SettingError for an unknown share or template file."""
    return _source(tuple(sorted(generation.shares.items())), generation.templates, generation.split)


def learn_tokenizer(generation: Generation, vocab_size: int) -> Tokenizer:
    """A byte-level BPE learned from other tasks of the same kind; that of a sequence has ANSWER."""
    source, rng = source_of(generation), Random(f"{generation.seed}/tokenizer")
    texts = (text for _ in range(NUM_TOKENIZER_TASKS) for text in source.draw(rng).texts)
    return train_tokenizer(texts, vocab_size, (*SPECIAL_TOKENS, ANSWER))


@cache
def _source(
    shares: tuple[tuple[str, float], ...], templates: tuple[str, ...], split: Split | None
) -> TaskSource:
    chosen = Shares.changed(dict(shares))
    if templates:
        return TaskSource.of_files(chosen, templates, split)
    return TaskSource.of_package(chosen, split)


def _grid(conversation: Conversation, name: str, decision_weight: float) -> TokenGrid:
    targets_RC = conversation.targets_RC
    weights_RC = np.where(targets_RC == Target.DECISION, np.float32(decision_weight), np.float32(1))
    first = conversation.tasks[0]
    meta: dict[str, Any] = {"source": SOURCE, "family": first.family, "place": first.place}
    meta["question"] = first.question
    if first.answer:
        meta["answer"] = first.answer
    if len(conversation.tasks) > 1:
        meta["num_turns"] = len(conversation.tasks)
    if conversation.planted:
        meta["planted"] = list(conversation.planted)
    return TokenGrid(
        name, conversation.tokens_RC, targets_RC != Target.NONE, meta, weights_RC=weights_RC
    )
