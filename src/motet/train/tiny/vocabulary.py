"""What a run talks about: the tasks it draws, and the tokenizer learned from them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tokenizers import Tokenizer

from motet.data.tiny.mixture import TaskSource
from motet.data.tiny.tokenizer import train_tokenizer
from motet.train.tiny.config import TrainConfig

__all__ = ["TOKENIZER_FILE", "prepare_tokenizer", "task_source"]

TOKENIZER_FILE = "tokenizer.json"


def task_source(config: TrainConfig) -> TaskSource:
    """All training templates, in the shares of the run."""
    return TaskSource.of_package(config.data.shares)


def prepare_tokenizer(config: TrainConfig, folder: Path) -> Tokenizer:
    """Read the tokenizer of a run, or learn it from tasks and keep it in `folder`."""
    path = folder / TOKENIZER_FILE
    if path.exists():
        return Tokenizer.from_file(str(path))
    source, rng = task_source(config), Random(f"{config.seed}/tokenizer")
    tasks = (source.draw(rng) for _ in range(config.data.num_tokenizer_tasks))
    tokenizer = train_tokenizer((t for task in tasks for t in task.texts), config.data.vocab_size)
    tokenizer.save(str(path))
    return tokenizer
