"""A training from its configuration to its models, or as far as it is let."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch import distributed

from motet.errors import CheckpointError
from motet.train.arguments import num_processes
from motet.train.collate import Collator
from motet.train.config import TrainConfig
from motet.train.config.data import Packing
from motet.train.evaluation import Evaluation
from motet.train.export import Exported, export_all
from motet.train.feed import Feed, Position, open_sources, order_of
from motet.train.folder import RunFolder
from motet.train.lora import Adapted, adapt
from motet.train.objective import Objective
from motet.train.progress import ProgressBar
from motet.train.start import Start, open_start
from motet.train.step import LossModel
from motet.train.trainer import StreamTrainer

__all__ = ["Outcome", "train"]


@dataclass(frozen=True)
class Outcome:
    """Where a training stands. models: what was written, if it is over."""

    step: int
    is_over: bool
    models: tuple[Exported, ...]


def train(config: TrainConfig, console: Console, *, only_export: bool = False) -> Outcome:
    """Train until it is over or somebody asks it to stop, going on from the last checkpoint.

    only_export: write the models of the checkpoints that there are, without training. In every
    process of a distributed run alike; the first one writes. Raises a MotetError.
    """
    folder = RunFolder(Path(config.output))
    is_first = int(os.environ.get("RANK", "0")) == 0
    with folder.claimed() if is_first else nullcontext():
        if is_first and not only_export:
            folder.begin(config)
        start = open_start(config)
        adapted = _adapted(config, start)
        trainer = _trainer(config, folder, start, console)
        _tell(console if is_first else None, trainer, adapted)
        step = trainer.go_on()
        if only_export and step is None:
            raise CheckpointError("export", expected=str(folder.checkpoints), got="no checkpoint")
        if not only_export and not trainer.is_over:
            if is_first:
                folder.cut_metrics(step or 0)
            with _followed(trainer):
                path = None if step is None else str(trainer.checkpoints.path(step))
                trainer.train(resume_from_checkpoint=path)
            step = trainer.state.global_step
        is_over = trainer.is_over or only_export
        best, checkpoints = trainer.best_step, trainer.checkpoints
        del trainer, adapted, start
        _part()
        models: list[Exported] = []
        if is_first and is_over:
            models = export_all(config, folder, checkpoints, best)
        return Outcome(step or 0, is_over, tuple(models))


@contextmanager
def _followed(trainer: StreamTrainer) -> Iterator[None]:
    """Take Ctrl-C as a request to stop, and leave the terminal as it was."""
    try:
        with trainer.stop_request.listening():
            yield
    finally:
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, ProgressBar):
                callback.close()


def _part() -> None:
    """Processes of a run go together: one that still listens when another is gone aborts."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _adapted(config: TrainConfig, start: Start) -> Adapted | None:
    if config.method.kind == "full":
        return None
    return adapt(start.model, config.method.lora, start.added_ids)


def _trainer(
    config: TrainConfig, folder: RunFolder, start: Start, console: Console
) -> StreamTrainer:
    layout = start.layout
    sha256 = hashlib.sha256(start.tokenizer).hexdigest()
    paths = [source.path for source in config.data.train]
    order = order_of(config, open_sources(paths, layout, sha256), layout)
    collate = Collator(layout, visible=config.data.packing is Packing.VISIBLE)

    def feed_from(position: Position, rank: int, size: int) -> Feed:
        return Feed(order, collate, config.data.sequences_at_once, rank, size, position)

    evaluation = None
    if config.evaluation.every_steps:
        held_out = open_sources(config.evaluation.data, layout, sha256)
        evaluation = Evaluation.of(config, held_out, start.codec)
    model = LossModel(start.model, Objective(config.objective, layout, config.seed))
    return StreamTrainer(model, config, folder, feed_from, evaluation, [ProgressBar(console)])


def _tell(console: Console | None, trainer: StreamTrainer, adapted: Adapted | None) -> None:
    """What learns, in one line for people."""
    if console is None:
        return
    parameters = list(trainer.loss_model.parameters())
    num = sum(p.numel() for p in parameters)
    num_learned = sum(p.numel() for p in parameters if p.requires_grad)
    text = f"motet: {num_learned:,} of {num:,} parameters learn"
    if adapted is not None:
        text += f"; LoRA in {', '.join(adapted.summary())}"
    if num_processes() > 1:
        text += f"; {num_processes()} processes"
    console.file.write(f"{text}, {torch.get_num_threads()} threads each\n")
    console.file.flush()
