"""The generated conversations as a dataset: shard i is a function of the settings and i alone.

So shards can be made in any order, in any number of processes, on several machines, and after a
stop; the dataset is the same byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from random import Random
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from tokenizers import Tokenizer

from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation
from motet.data.tiny.lines import Task
from motet.data.tiny.mixture import (
    Shares,
    TaskSource,
    arranged,
    draw_conversation,
    draw_task,
    held_out_problems,
)
from motet.data.tiny.split import Split, Wanted
from motet.data.tiny.tokenizer import ANSWER, SPECIAL_TOKENS, train_tokenizer

__all__ = [
    "Generation",
    "Problems",
    "generated",
    "generated_questions",
    "learn_tokenizer",
    "source_of",
]

_TOKENIZER_TASKS = (1_000, 30_000)

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Problems(StrEnum):
    """What is drawn from: tasks for training, or word problems that no training ever sees."""

    TRAINING = "training"
    DEVELOPMENT = "development"
    HELD_OUT = "held-out"


class Generation(BaseModel):
    """What is generated.

    problems: those to measure with are as they are, and nothing below can be chosen of them.
    shares: those of `mixture.Shares` that differ from its defaults. templates: names of the
    package's template files; all if empty. split, max_number, max_steps: see `split.Wanted`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    num_conversations: Annotated[int, Field(ge=1)]
    conversations_per_shard: Annotated[int, Field(ge=1)] = 4_096
    seed: Annotated[int, Field(ge=0)] = 0
    arrangement: Arrangement = Arrangement.STREAMS
    problems: Problems = Problems.TRAINING
    split: Split | None = None
    max_number: Annotated[int, Field(ge=1)] | None = None
    max_steps: Annotated[int, Field(ge=1)] | None = None
    shares: dict[str, Share] = {}
    templates: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        chosen = (self.split, self.max_number, self.max_steps, *self.shares, *self.templates)
        if self.problems is not Problems.TRAINING and any(one is not None for one in chosen):
            raise ValueError(f"{self.problems} problems are as they are: nothing can be chosen")
        return self

    @property
    def num_shards(self) -> int:
        """How many shards it has."""
        return -(-self.num_conversations // self.conversations_per_shard)

    def indices(self, shard: int) -> range:
        """The numbers of the conversations of a shard."""
        start = shard * self.conversations_per_shard
        return range(start, min(start + self.conversations_per_shard, self.num_conversations))


def generated(
    generation: Generation, tokenizer: Tokenizer, shard: int
) -> Iterator[tuple[str, Conversation]]:
    """The conversations of one shard with their names."""
    seed, indices, arrangement = generation.seed, generation.indices(shard), generation.arrangement
    if generation.problems is not Problems.TRAINING:
        for index, task in zip(indices, _measuring(generation, indices), strict=True):
            rng = Random(f"{seed}/{index}")
            yield f"{seed}/{index}", arranged([task], tokenizer, rng, arrangement)
        return
    source = source_of(generation)
    for index in indices:
        yield f"{seed}/{index}", draw_conversation(source, tokenizer, seed, index, arrangement)


def generated_questions(generation: Generation) -> Iterator[dict[str, Any]]:
    """The questions that have an answer, each once: `id`, `question`, `answer`, `family`."""
    asked = set[str]()
    for index, task in enumerate(_tasks(generation)):
        if task.answer and task.question not in asked:
            asked.add(task.question)
            yield {
                "id": f"{generation.seed}/{index}",
                "question": task.question,
                "answer": task.answer,
                "family": task.family,
            }


def _tasks(generation: Generation) -> Iterator[Task]:
    if generation.problems is not Problems.TRAINING:
        yield from _measuring(generation, range(generation.num_conversations))
        return
    source = source_of(generation)
    for index in range(generation.num_conversations):
        yield draw_task(source, generation.seed, index)


def _measuring(generation: Generation, indices: range) -> list[Task]:
    is_development = generation.problems is Problems.DEVELOPMENT
    tasks = held_out_problems(indices.stop, generation.seed, development=is_development)
    return tasks[indices.start :]


def source_of(generation: Generation) -> TaskSource:
    """What the tasks are drawn from; SettingError for an unknown share or template file."""
    shares = tuple(sorted(generation.shares.items()))
    wanted = Wanted(generation.split, generation.max_number, generation.max_steps)
    return _source(shares, generation.templates, wanted)


def learn_tokenizer(generation: Generation, vocab_size: int) -> Tokenizer:
    """A byte-level BPE learned from as many other tasks of the same kind; it has ANSWER, too."""
    num_tasks = sorted((generation.num_conversations, *_TOKENIZER_TASKS))[1]
    source, rng = source_of(generation), Random(f"{generation.seed}/tokenizer")
    texts = (text for _ in range(num_tasks) for text in source.draw(rng).texts)
    return train_tokenizer(texts, vocab_size, (*SPECIAL_TOKENS, ANSWER))


@cache
def _source(
    shares: tuple[tuple[str, float], ...], templates: tuple[str, ...], wanted: Wanted
) -> TaskSource:
    chosen = Shares.changed(dict(shares))
    if templates:
        return TaskSource.of_files(chosen, templates, wanted)
    return TaskSource.of_package(chosen, wanted)
