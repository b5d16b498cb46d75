"""transformers' Trainer with our feed, loss, figures, optimizers and checkpoints.

What stays the Trainer's: the loop over steps and micro-batches, devices, mixed precision, data
parallelism, FSDP and DeepSpeed, clipping, trackers. Every figure of a step is a function of the
configuration and the step, so a run that is killed and started again is the run that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from motet.errors import SettingError
from motet.train.arguments import num_processes, training_arguments
from motet.train.batch import Batch
from motet.train.checkpoints import Checkpoints
from motet.train.config import TrainConfig
from motet.train.feed import Feed, Portion, Position
from motet.train.flow import Flow, StopRequest
from motet.train.folder import RunFolder
from motet.train.optimization import ExpertLoad, build_optimizer, build_schedule
from motet.train.peak import peak_bytes
from motet.train.resumable import ResumableTrainer
from motet.train.step import LossModel
from motet.train.window import StepSums, Window

__all__ = ["StreamTrainer"]

Evaluate = Callable[["StreamTrainer"], dict[str, float]]


class StreamTrainer(ResumableTrainer):
    """Trains `model` as `config` says.

    feed_from: the feed of this process from a position on. evaluate: figures at the end of a step,
    named without prefix. follow: callbacks that show how far it is.
    """

    optimizer: Optimizer | None
    lr_scheduler: Any

    def __init__(
        self,
        model: LossModel,
        config: TrainConfig,
        folder: RunFolder,
        feed_from: Callable[[Position, int, int], Feed],
        evaluate: Evaluate | None,
        follow: Iterable[TrainerCallback] = (),
    ) -> None:
        self.config = config
        self.folder = folder
        self.flow = Flow(config)
        self.stop_request = StopRequest()
        self.position = Position()
        self.num_stale_evaluations = 0
        self.seconds = 0.0
        arguments = training_arguments(config, folder)
        callbacks = [self.flow, *follow]
        super().__init__(model=model, args=arguments, callbacks=callbacks)
        self.remove_callback(PrinterCallback)
        if self.accelerator.num_processes != num_processes():
            raise SettingError(
                "processes", expected=f"{num_processes()} that train together, as WORLD_SIZE says",
                got=f"{self.accelerator.num_processes}",
                fix="start the command with accelerate launch, torchrun or --processes",
            )  # fmt: skip
        self._feed_from = feed_from
        self._evaluate_with = evaluate
        self.loss_model = model
        self.experts = ExpertLoad(model)
        self.window = Window(model.model.layout, self.experts)
        self.checkpoints = Checkpoints(
            folder.checkpoints, config.checkpoints.keep, self.args.should_save,
            self.accelerator.wait_for_everyone,
        )  # fmt: skip
        self._sums = self._new_sums()
        self._next_position = Position()
        self._mark = time.monotonic()

    # Data and loss

    def get_train_dataloader(self) -> Any:
        """The feed of this process, from where the run is."""
        self._next_position = self.position
        return self._feed_from(
            self.position, self.accelerator.process_index, self.accelerator.num_processes
        )

    def get_batch_samples(
        self, epoch_iterator: Any, num_batches: int, device: torch.device
    ) -> tuple[list[Batch], Tensor]:
        """The micro-batches of the next step, and what all targets of the step count together."""
        portions: list[Portion] = list(islice(epoch_iterator, num_batches))
        self._next_position = portions[-1].after
        objective = self.loss_model.objective
        count = torch.stack([objective.num_items(p.batch) for p in portions]).sum()
        return [p.batch for p in portions], self.exchange(count.to(device))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a micro-batch; times the processes, whose gradients will be averaged."""
        step = self.state.global_step
        parts = model(**inputs, num_items_in_batch=num_items_in_batch, step=step)
        self._sums.add(parts, inputs)
        loss = parts.total * self.accelerator.num_processes
        return (loss, parts) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> Optimizer:
        """See `build_optimizer`; SettingError if muon would get parts of matrices."""
        if self.is_sharded and self.config.optimizer.name == "muon":
            raise SettingError(
                "optimizer.name", expected="adamw, where weights are sharded", got="muon",
                fix="muon needs whole matrices: train with data parallelism, or with adamw",
            )  # fmt: skip
        if self.optimizer is None:
            self.optimizer = build_optimizer(model or self.model, self.config.optimizer)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """See `build_schedule`."""
        if self.lr_scheduler is None:
            chosen = optimizer or self.optimizer
            assert chosen is not None
            self.lr_scheduler = build_schedule(chosen, self.config.schedule)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    # The end of a step: figures, evaluation, checkpoint

    def _maybe_log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        if self._next_position != self.position:  # once a step, not again when the loop ends
            self._end_step()
        super()._maybe_log_save_evaluate(*args, **kwargs)
        self._mark = time.monotonic()

    def _end_step(self) -> None:
        self.position = self._next_position
        if self.stop_request.is_made:
            self._sums.ask_to_stop()
        choices = self.experts.take(self.args.device)
        sums = self._sums.exchanged(choices, self.exchange)
        if self.config.experts.balance_rate:
            self.experts.balance(sums[2], self.config.experts.balance_rate)
        self._sums = self._new_sums()
        seconds = time.monotonic() - self._mark
        self.seconds += seconds
        loss, is_asked_to_stop = self.window.add(sums, seconds)
        if not math.isfinite(loss):
            last = self.checkpoints.steps()[-1:]
            raise SettingError(
                f"loss in step {self.state.global_step}", expected="a finite number", got=loss,
                fix="lower optimizer.lr or raise schedule.warmup_steps; "
                + (f"the checkpoint of step {last[0]} is as it was" if last else "begin anew"),
            )  # fmt: skip
        if is_asked_to_stop:
            self.flow.is_stopping = True
            self.control.should_save = self.control.should_training_stop = True

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """A line of figures: those of the window in place of the Trainer's own loss."""
        if "train_runtime" in logs:  # the Trainer's last word, without what this process resumed
            return
        if "loss" in logs:
            logs = {
                **self.window.close(),
                "grad_norm": float(logs["grad_norm"]),
                "learning_rate": logs["learning_rate"],
                "epoch": self.position.epoch,
                "conversations": self.position.num_conversations,
                "rows": self.position.num_rows,
                "seconds": self.seconds,
                "memory_bytes": peak_bytes(self.args.device),
            }
        if self.is_world_process_zero():
            self.folder.add_metrics({"step": self.state.global_step, **logs})
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, logs)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The figures of an evaluation, named `eval_...`, and a line of them."""
        assert self._evaluate_with is not None
        metrics = {f"eval_{k}": v for k, v in self._evaluate_with(self).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _new_sums(self) -> StepSums:
        return StepSums(self.loss_model.model.layout.num_channels, self.args.device)
