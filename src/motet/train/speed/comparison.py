"""Steps with LongCE against steps without, and both against what their products take alone."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from motet.train.speed.process import Seconds
from motet.train.speed.setting import Setting
from motet.train.speed.work import StepWork

__all__ = ["Comparison", "Side"]


@dataclass(frozen=True)
class Side:
    """Steps of one objective. work: multiply-adds of a step. product_s: of one multiply-add."""

    steps: tuple[Seconds, ...]
    work: int
    product_s: Seconds
    peak_bytes: int

    @property
    def step_s(self) -> Seconds:
        """Medians."""
        return Seconds(median(s.wall for s in self.steps), median(s.cpu for s in self.steps))

    @property
    def limit_s(self) -> Seconds:
        """What the products of a step take at the speed of a large one."""
        return Seconds(*(self.work * seconds for seconds in self.product_s))

    @property
    def times_limit(self) -> Seconds:
        """How far a step is from that."""
        return Seconds(*(s / limit for s, limit in zip(self.step_s, self.limit_s, strict=True)))

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "step": self.step_s._asdict(),
            "limit": self.limit_s._asdict(),
            "times_limit": self.times_limit._asdict(),
            "peak_bytes": self.peak_bytes,
            "steps": [step._asdict() for step in self.steps],
        }


@dataclass(frozen=True)
class Comparison:
    """The same steps with LongCE and without, taken in turn."""

    setting: Setting
    work: StepWork
    long: Side
    plain: Side

    @property
    def ratios(self) -> list[Seconds]:
        """With LongCE by without, for each pair of steps taken one after the other."""
        return [
            Seconds(a.wall / b.wall, a.cpu / b.cpu)
            for a, b in zip(self.long.steps, self.plain.steps, strict=True)
        ]

    @property
    def ratio(self) -> Seconds:
        """The medians of the ratios."""
        return Seconds(median(r.wall for r in self.ratios), median(r.cpu for r in self.ratios))

    @property
    def memory_ratio(self) -> float:
        """Peak with LongCE by peak without."""
        return self.long.peak_bytes / self.plain.peak_bytes

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values."""
        setting, rows = self.setting, self.setting.num_lines * self.setting.num_rows
        step_s = self.plain.step_s.wall
        return {
            "setting": {
                "channels": list(setting.layout.names),
                "num_lines": setting.num_lines,
                "num_rows": setting.num_rows,
                "num_conversations": setting.num_conversations,
                "num_cells": setting.num_cells,
                "num_targets": setting.num_targets,
                "bfloat16": setting.bfloat16,
                "checkpointing": setting.checkpointing,
                "num_threads": setting.num_threads,
            },
            "implied": {
                "plain_multiply_adds": self.work.plain,
                "long_multiply_adds": self.work.long,
                "ratio": self.work.ratio,
            },
            "plain": self.plain.to_json() | {"rows_per_s": rows / step_s},
            "long": self.long.to_json(),
            "ratio": self.ratio._asdict(),
            "memory_ratio": self.memory_ratio,
        }

    def lines(self) -> list[tuple[str, str]]:
        """What people want to know of it."""
        setting, cpu = self.setting, [ratio.cpu for ratio in self.ratios]
        speed = self.plain.work / self.plain.limit_s.cpu
        return [
            ("a step", f"{setting.num_lines} x {setting.num_rows:,} rows of "
             f"{setting.layout.num_channels} channels, {setting.num_conversations} conversations "
             f"to a line; {setting.num_targets:,} targets; {setting.num_threads} threads"),
            ("implied", f"{self.work.plain / 1e9:,.1f} billion multiply-adds, with LongCE "
             f"{self.work.ratio:.2f} times; a large product does {speed / 1e9:.0f} billion in a "
             "second of a processor"),
            ("without LongCE", _side(self.plain)),
            ("with LongCE", _side(self.long)),
            ("LongCE costs", f"{self.ratio.cpu:.2f} times the processor time ({min(cpu):.2f} to "
             f"{max(cpu):.2f}), {self.ratio.wall:.2f} times the time by the clock, "
             f"{self.memory_ratio:.3f} times the peak memory"),
        ]  # fmt: skip


def _side(side: Side) -> str:
    return (
        f"{side.step_s.wall:.2f} s by the clock, {side.step_s.cpu:.2f} s of a processor: "
        f"{side.times_limit.cpu:.2f} times its products; {side.peak_bytes / 1e6:,.0f} MB at most"
    )
