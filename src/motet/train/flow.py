"""When something happens: the last step, a line of figures, an evaluation, a checkpoint.

Also what a user's Ctrl-C or a scheduler's SIGTERM means: finish the step, write a checkpoint, stop.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from motet.train.config import TrainConfig

__all__ = ["Flow", "StopRequest"]


class StopRequest:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self.is_made = False

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Take SIGINT and SIGTERM as a request; a second one acts as it usually does."""
        earlier = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

        def hear(number: int, _: FrameType | None) -> None:
            self.is_made = True
            signal.signal(number, earlier[signal.Signals(number)])

        for number in earlier:
            signal.signal(number, hear)
        try:
            yield self
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)


class Flow(TrainerCallback):  # type: ignore[misc] # transformers has no types
    """Decides after each step what is to happen."""

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self.is_stopping = False

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        """See `TrainerCallback`."""
        config, step = self._config, state.global_step
        is_last = step >= args.max_steps
        control.should_log = is_last or step % config.log.every_steps == 0
        every = config.evaluation.every_steps
        control.should_evaluate = bool(every) and (is_last or step % every == 0)
        control.should_save = (
            is_last or self.is_stopping or step % config.checkpoints.every_steps == 0
        )
        control.should_training_stop = is_last or self.is_stopping
        return control
