"""The part of the trainer that outlives its process: checkpoints, and what is over or best.

A checkpoint has what was learned, optimizer, schedule and random numbers, as transformers writes
them, and beside them where the data is and the figures of the line that is not full yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from torch import Tensor, nn
from transformers import Trainer, TrainerControl, TrainerState

from motet.data.whole import whole_file
from motet.errors import CheckpointError
from motet.train.checkpoints import Checkpoints
from motet.train.config import TrainConfig
from motet.train.feed import Position
from motet.train.folder import RunFolder
from motet.train.step import LossModel
from motet.train.weights import LEARNED_FILE, load_learned, save_learned
from motet.train.window import Window

__all__ = ["ResumableTrainer"]

_UNFIT = (  # what torch, json and transformers raise for a file that is broken or of another run
    OSError, ValueError, LookupError, TypeError, RuntimeError, EOFError, UnpicklingError,
)  # fmt: skip

STATE_FILE = "trainer_state.json"
RUN_FILE = "run_state.json"


class ResumableTrainer(Trainer):  # type: ignore[misc] # transformers has no types
    """A Trainer that can be killed. position: of the next step; seconds: of training so far."""

    config: TrainConfig
    folder: RunFolder
    loss_model: LossModel
    checkpoints: Checkpoints
    window: Window
    position: Position
    seconds: float
    num_stale_evaluations: int
    control: TrainerControl

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Note a new best one, which is to be saved; or stop after too many that are not."""
        config = self.config.evaluation
        value, best = metrics[f"eval_{config.best}"], self.state.best_metric
        gain = 0.0 if best is None else value - best if config.best == "accuracy" else best - value
        if best is None or gain > config.min_gain:
            self.state.best_metric, self.state.best_global_step = value, self.state.global_step
            self.num_stale_evaluations = 0
            self.control.should_save = True
            return True
        self.num_stale_evaluations += 1
        if config.patience and self.num_stale_evaluations >= config.patience:
            self.control.should_save = self.control.should_training_stop = True
        return False

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        best = self.state.best_global_step
        with self.checkpoints.new(self.state.global_step, best) as path:
            self.save_model(str(path), _internal_call=True)
            self._save_optimizer_and_scheduler(str(path))
            self._save_scaler(str(path))
            self._save_rng_state(str(path))
            if self.args.should_save:
                self.state.save_to_json(str(path / STATE_FILE))
                self._save_run(path / RUN_FILE)

    def _save_run(self, path: Path) -> None:
        values = {
            "position": self.position.to_json(),
            "window": self.window.to_json(),
            "num_stale_evaluations": self.num_stale_evaluations,
            "seconds": self.seconds,
        }
        with whole_file(path) as file:
            file.write(json.dumps(values).encode("utf-8"))

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> None:
        assert output_dir is not None
        if self.args.should_save:
            save_learned(Path(output_dir) / LEARNED_FILE, self.loss_model, state_dict)

    def go_on(self) -> int | None:
        """Take over where the last checkpoint was, if there is one; its step.

        Its weights and optimizer are read by `train(resume_from_checkpoint=...)`.
        """
        steps = self.checkpoints.steps()
        if not steps:
            return None
        path = self.checkpoints.path(steps[-1])
        with _whole_or_told(path):
            self.state = TrainerState.load_from_json(str(path / STATE_FILE))
            values = json.loads((path / RUN_FILE).read_text("utf-8"))
            self.position = Position.from_json(values["position"])
            self.window.restore(values["window"])
            self.num_stale_evaluations = values["num_stale_evaluations"]
            self.seconds = values["seconds"]
        return steps[-1]

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        if self.is_fsdp_enabled:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            load_learned(Path(resume_from_checkpoint) / LEARNED_FILE, self.loss_model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _whole_or_told(Path(checkpoint or "")):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _whole_or_told(Path(checkpoint or "")):
            super()._load_rng_state(checkpoint)

    @property
    def is_over(self) -> bool:
        """Whether all steps are taken, or evaluations have not become better for too long."""
        patience = self.config.evaluation.patience
        is_stale = bool(patience) and self.num_stale_evaluations >= patience
        return is_stale or self.state.global_step >= self.config.schedule.num_steps

    @property
    def best_step(self) -> int | None:
        """The step of the best evaluation, if there was one."""
        step: int | None = self.state.best_global_step
        return step

    @property
    def is_sharded(self) -> bool:
        """Whether no process holds all weights."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def exchange(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        total: Tensor = self.accelerator.reduce(tensor, "sum")
        return total


@contextmanager
def _whole_or_told(path: Path) -> Iterator[None]:
    """CheckpointError if what the block reads is unfit."""
    try:
        yield
    except _UNFIT as error:
        raise CheckpointError(
            f"{path}", expected="a checkpoint of this run", got=repr(error)[:200],
            fix="remove it: the one before it is taken then",
        ) from None  # fmt: skip
