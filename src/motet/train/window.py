"""Figures of training: sums over the steps since the last line, the same in every process.

What a step adds is summed over all micro-batches and processes in one exchange. The sums are part
of a checkpoint, so a run that was killed between two lines writes the same next line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from motet.streams.layout import Layout
from motet.train.batch import Batch
from motet.train.objective import LossParts
from motet.train.optimization.experts import ExpertLoad, largest_share

__all__ = ["StepSums", "Window"]

FIELDS = tuple(name for name in LossParts._fields if name != "total")
_LOSS, _ROWS, _STOP = range(3)
_NUM_SCALARS = 3


@dataclass
class StepSums:
    """What this process adds to the figures of a step: micro-batches, then experts' choices."""

    num_channels: int
    device: torch.device
    scalars: Tensor = field(init=False)
    sums_FC: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.scalars = torch.zeros(_NUM_SCALARS, dtype=torch.float64, device=self.device)
        shape = (len(FIELDS), self.num_channels)
        self.sums_FC = torch.zeros(shape, dtype=torch.float64, device=self.device)

    def add(self, parts: LossParts, batch: Batch) -> None:
        """One micro-batch."""
        self.scalars[_LOSS] += parts.total.detach()
        self.scalars[_ROWS] += (batch["conversations_BR"] >= 0).sum()
        self.sums_FC += torch.stack([getattr(parts, name) for name in FIELDS])

    def ask_to_stop(self) -> None:
        """This process was told to stop; all of them will know after the exchange."""
        self.scalars[_STOP] += 1

    def exchanged(
        self, choices: Tensor, exchange: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Scalars, sums [F, C] and choices of all processes together."""
        flat = exchange(torch.cat([self.scalars, self.sums_FC.flatten(), choices]))
        num_sums = self.sums_FC.numel()
        scalars, sums, choices = flat.split([_NUM_SCALARS, num_sums, len(choices)])
        return scalars, sums.view_as(self.sums_FC), choices


@dataclass
class Window:
    """Sums over the steps since the last line of figures."""

    layout: Layout
    experts: ExpertLoad
    num_steps: int = 0
    seconds: float = 0.0
    scalars: Tensor | None = None
    sums_FC: Tensor | None = None
    choices: Tensor | None = None

    def add(self, step: tuple[Tensor, Tensor, Tensor], seconds: float) -> tuple[float, bool]:
        """One step, as `StepSums.exchanged` gives it; its loss, and whether anyone asks to stop."""
        scalars, sums_FC, choices = (tensor.cpu() for tensor in step)
        self.num_steps += 1
        self.seconds += seconds
        if self.scalars is None or self.sums_FC is None or self.choices is None:
            self.scalars, self.sums_FC, self.choices = scalars, sums_FC, choices
        else:
            self.scalars = self.scalars + scalars
            self.sums_FC = self.sums_FC + sums_FC
            self.choices = self.choices + choices
        return float(scalars[_LOSS]), bool(scalars[_STOP])

    def close(self) -> dict[str, float]:
        """The figures of the window; it is empty afterwards."""
        assert self.scalars is not None
        assert self.sums_FC is not None
        assert self.choices is not None
        rows, seconds = float(self.scalars[_ROWS]), max(self.seconds, 1e-9)
        sums = dict(zip(FIELDS, self.sums_FC, strict=True))
        figures = {"loss": float(self.scalars[_LOSS]) / self.num_steps}
        figures |= channel_figures(self.layout, sums)
        figures |= {
            "rows_per_s": rows / seconds,
            "cells_per_s": rows * self.layout.num_channels / seconds,
            "spoken_tok_per_s": float(sums["spoken_C"].sum()) / seconds,
        }
        shares = [largest_share(counts) for counts in self.experts.split(self.choices)]
        if shares:
            figures["experts/largest_share"] = max(shares)
            figures |= {f"experts/largest_share/{i}": share for i, share in enumerate(shares)}
        self.num_steps, self.seconds = 0, 0.0
        self.scalars = self.sums_FC = self.choices = None
        return figures

    def to_json(self) -> dict[str, Any]:
        """The sums as plain values; floats survive exactly."""
        tensors = (self.scalars, self.sums_FC, self.choices)
        return {
            "num_steps": self.num_steps,
            "seconds": self.seconds,
            "sums": [None if tensor is None else tensor.tolist() for tensor in tensors],
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Take over what `to_json` gave."""
        self.num_steps, self.seconds = values["num_steps"], values["seconds"]
        self.scalars, self.sums_FC, self.choices = (
            None if value is None else torch.tensor(value, dtype=torch.float64)
            for value in values["sums"]
        )


def channel_figures(layout: Layout, sums: dict[str, Tensor]) -> dict[str, float]:
    """Means per channel and over all channels, where there is something to take a mean of.

    spoken: over targets that are not silence. Losses are in nats.
    """
    means = {
        "loss": ("loss_C", "targets_C"),
        "spoken_loss": ("spoken_loss_C", "spoken_C"),
        "spoken_right": ("spoken_right_C", "spoken_C"),
        "longce_weight": ("longce_weight_C", "longce_targets_C"),
        "longce_self_loss": ("longce_self_loss_C", "longce_targets_C"),
    }
    figures = {}
    for name, (above, below) in means.items():
        if float(sums[below].sum()):
            whole = "plain_loss" if name == "loss" else name
            figures[whole] = float(sums[above].sum() / sums[below].sum())
        for c, channel in enumerate(layout.names):
            if float(sums[below][c]):
                figures[f"{name}/{channel}"] = float(sums[above][c] / sums[below][c])
    return figures
