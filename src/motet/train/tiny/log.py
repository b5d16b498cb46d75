"""One line of JSON for every few steps of training."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from motet.train.tiny.checkpoint import Progress

__all__ = ["Window"]


@dataclass(slots=True)
class Window:
    """Sums over the steps since the last line."""

    steps: int = 0
    cells: int = 0
    stats: Tensor = field(default_factory=lambda: torch.zeros(3))
    expert_share: float = 0.0
    began_s: float = field(default_factory=time.monotonic)
    elapsed_s: float = 0.0

    def add(self, stats: Tensor, num_cells: int, expert_share: float) -> None:
        """One step: (loss, right, spoken), its cells and the largest share of one expert."""
        self.steps += 1
        self.stats += stats
        self.cells += num_cells
        self.expert_share += expert_share

    def close(self, progress: Progress) -> Progress:
        """`progress` with the cells and seconds of this window."""
        self.elapsed_s = time.monotonic() - self.began_s
        return replace(
            progress,
            num_cells=progress.num_cells + self.cells,
            seconds_s=progress.seconds_s + self.elapsed_s,
        )

    def write(self, path: Path, progress: Progress, rate: float) -> None:
        """Append the line."""
        loss, right, spoken = self.stats.tolist()
        line = {
            "step": progress.num_steps,
            "loss": round(loss / self.steps, 5),
            "spoken_right": round(right / max(spoken, 1), 5),
            "rate": round(rate, 4),
            "cells": progress.num_cells,
            "cells_per_s": round(self.cells / self.elapsed_s),
            "largest_expert_share": round(self.expert_share / self.steps, 3),
            "seconds": round(progress.seconds_s, 1),
        }
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
