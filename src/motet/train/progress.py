"""How far a training is, on stderr: a bar in a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["ProgressBar"]

LINE_EVERY_S = 10.0


class ProgressBar(TrainerCallback):  # type: ignore[misc] # transformers has no types
    """Follows the steps; the last figures stand beside it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._figures = ""
        self._last_line_s = time.monotonic()
        self._first: tuple[int, float] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """See `TrainerCallback`."""
        if not state.is_world_process_zero:
            return
        self._first = (state.global_step, time.monotonic())
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            columns = [
                TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
            ]  # fmt: skip
            self._bar = Progress(*columns, console=self._console)
            self._bar.start()
            self._task = self._bar.add_task(
                "training", total=args.max_steps, completed=state.global_step, figures=""
            )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """See `TrainerCallback`."""
        figures = logs or {}
        shown = {"loss": "loss", "spoken_right": "right", "eval_loss": "eval loss"}
        shown |= {"eval_accuracy": "accuracy", "rows_per_s": "rows/s"}
        parts = [f"{text} {figures[key]:.4g}" for key, text in shown.items() if key in figures]
        self._figures = ", ".join(parts)
        if any(key.startswith("eval_") for key in figures):
            self._line(args, state)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """See `TrainerCallback`."""
        if self._bar is not None:
            self._bar.update(self._task, completed=state.global_step, figures=self._figures)
        elif time.monotonic() - self._last_line_s >= LINE_EVERY_S:
            self._line(args, state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """See `TrainerCallback`."""
        self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, args: TrainingArguments, state: TrainerState) -> None:
        if self._first is None or self._bar is not None:
            return
        now = self._last_line_s = time.monotonic()
        step, begin = self._first
        taken, left = state.global_step - step, args.max_steps - state.global_step
        text = f"motet: step {state.global_step} of {args.max_steps}"
        if taken:
            text += f", {(now - begin) / taken * left:.0f} s left"
        self._console.file.write(text + (f", {self._figures}" if self._figures else "") + "\n")
        self._console.file.flush()
