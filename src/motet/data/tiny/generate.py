"""The generated conversations as a dataset: shard i is a function of the settings and i alone.

So shards can be made in any order, in any number of processes, on several machines, and after a
stop; the dataset is the same byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from tokenizers import Tokenizer

from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation
from motet.data.tiny.mixture import Shares, TaskSource, draw_conversation, draw_task
from motet.data.tiny.split import Split, Wanted
from motet.data.tiny.tokenizer import ANSWER, SPECIAL_TOKENS, train_tokenizer

__all__ = ["Generation", "generated", "generated_questions", "learn_tokenizer", "source_of"]

_TOKENIZER_TASKS = (1_000, 30_000)

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Generation(BaseModel):
    """What is generated.

    shares: those of `mixture.Shares` that differ from its defaults. templates: names of the
    package's template files; all if empty. split, max_number, max_steps: see `split.Wanted`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    num_conversations: Annotated[int, Field(ge=1)]
    conversations_per_shard: Annotated[int, Field(ge=1)] = 4_096
    seed: Annotated[int, Field(ge=0)] = 0
    arrangement: Arrangement = Arrangement.STREAMS
    split: Split | None = None
    max_number: Annotated[int, Field(ge=1)] | None = None
    max_steps: Annotated[int, Field(ge=1)] | None = None
    shares: dict[str, Share] = {}
    templates: tuple[str, ...] = ()

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
    source, seed = source_of(generation), generation.seed
    for index in generation.indices(shard):
        conversation = draw_conversation(source, tokenizer, seed, index, generation.arrangement)
        yield f"{seed}/{index}", conversation


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
