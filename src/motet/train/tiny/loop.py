"""The training loop: a batch, a loss, a step; now and then a line of log and a checkpoint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from motet.train.tiny.balance import ExpertBalance
from motet.train.tiny.batches import BatchStream
from motet.train.tiny.checkpoint import Progress, load_checkpoint, save_checkpoint
from motet.train.tiny.config import TrainConfig
from motet.train.tiny.log import Window
from motet.train.tiny.loss import batch_loss, total_weight
from motet.train.tiny.model import build_model
from motet.train.tiny.optimizers import build_optimizers, set_rates
from motet.train.tiny.team import Team, run_as_team
from motet.train.tiny.vocabulary import prepare_tokenizer, task_source

__all__ = ["CHECKPOINT_FILE", "LOG_FILE", "train"]

CHECKPOINT_FILE, LOG_FILE = "checkpoint.pt", "log.jsonl"


def train(config: TrainConfig, folder: Path, *, stop_at: int | None = None) -> None:
    """Train in `folder`, going on from its checkpoint if there is one.

    stop_at: end after this step with a checkpoint, as if interrupted there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prepare_tokenizer(config, folder)
    last_step = min(config.optim.num_steps, stop_at or config.optim.num_steps)
    run_as_team(config.num_processes, _train_member, config, folder, last_step)


def _train_member(team: Team, config: TrainConfig, folder: Path, last_step: int) -> None:
    tokenizer = prepare_tokenizer(config, folder)
    torch.manual_seed(config.seed)
    model = build_model(config.model, tokenizer).train()
    params = list(model.parameters())
    optimizers = build_optimizers(model, config.optim, team)
    balance = ExpertBalance(model, config.optim.balance_rate)
    progress = Progress()
    if (folder / CHECKPOINT_FILE).exists():
        progress = load_checkpoint(folder / CHECKPOINT_FILE, model, optimizers)
    stream = BatchStream(task_source(config), tokenizer, config.data, config.seed, team.size)
    batches = stream.start_at(progress.position)
    window = Window()
    while progress.num_steps < last_step:
        batch, position = next(batches)
        mine = batch.part(team.rank, team.size)
        for param in params:
            param.grad = torch.zeros_like(param)
        result = batch_loss(model, mine, config.optim)
        loss = result.total / total_weight(batch, config.optim)
        loss.backward()
        stats = torch.tensor([loss.item(), result.num_right, result.num_spoken])
        gradients = [param.grad for param in params if param.grad is not None]
        team.sum_in_place([*gradients, *balance.counts, stats])
        clip_grad_norm_(params, config.optim.clip_norm)
        rate = set_rates(optimizers, progress.num_steps, config.optim)
        for optimizer in optimizers:
            optimizer.step()
        window.add(stats, batch.tokens_BRC.numel(), balance.step())
        progress = replace(progress, num_steps=progress.num_steps + 1, position=position)
        is_last = progress.num_steps == last_step
        if is_last or progress.num_steps % config.log_every_steps == 0:
            progress = window.close(progress)
            if team.rank == 0:
                window.write(folder / LOG_FILE, progress, rate)
            window = Window()
        if team.rank == 0 and (is_last or progress.num_steps % config.save_every_steps == 0):
            save_checkpoint(folder / CHECKPOINT_FILE, model, optimizers, progress)
