"""A configuration as the arguments of transformers' Trainer.

What the Trainer would decide at set steps (when to log, evaluate, save) is switched off here and
decided by `motet.train.flow`; its data loading is replaced by `motet.train.feed`.
"""

from __future__ import annotations

import os

import torch
from transformers import TrainingArguments
from transformers.integrations import get_available_reporting_integrations

from motet.errors import SettingError
from motet.train.config import TrainConfig
from motet.train.config.model import Precision
from motet.train.folder import RunFolder

__all__ = ["num_processes", "training_arguments"]


def num_processes() -> int:
    """How many processes train together, as torchrun and accelerate tell it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def training_arguments(config: TrainConfig, folder: RunFolder) -> TrainingArguments:
    """SettingError if the step can't be divided among the processes, or a tracker is unknown."""
    at_once = config.data.sequences_at_once * num_processes()
    if config.data.sequences_per_step % at_once:
        raise SettingError(
            "data.sequences_per_step",
            expected=f"a multiple of {config.data.sequences_at_once} sequences at once in "
            f"each of {num_processes()} processes",
            got=config.data.sequences_per_step,
        )  # fmt: skip
    _check_trackers(config.log.report_to)
    arguments = TrainingArguments(
        output_dir=str(folder.path),
        max_steps=config.schedule.num_steps,
        per_device_train_batch_size=config.data.sequences_at_once,
        gradient_accumulation_steps=config.data.sequences_per_step // at_once,
        learning_rate=config.optimizer.lr,
        max_grad_norm=config.optimizer.clip_norm,
        use_cpu=not torch.accelerator.is_available(),
        bf16=config.model.precision is Precision.MIXED_BFLOAT16,
        seed=config.seed,
        full_determinism=config.deterministic,
        logging_strategy="no",
        save_strategy="no",
        eval_strategy="no",
        logging_nan_inf_filter=False,
        report_to=list(config.log.report_to) or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,
        average_tokens_across_devices=True,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs of one process would split the batch behind our back
    return arguments


def _check_trackers(names: tuple[str, ...]) -> None:
    there = get_available_reporting_integrations()
    for name in names:
        if name not in there:
            raise SettingError(
                "log.report_to", expected=" or ".join(sorted(there)) or "none: none is installed",
                got=name, fix="install it, or leave it out: metrics.jsonl is always written",
            )  # fmt: skip
