"""A whole configuration: its sections, and what they must agree on."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from motet.train.config.data import DataConfig
from motet.train.config.method import MethodConfig
from motet.train.config.model import LayoutConfig, ModelConfig
from motet.train.config.optimization import ExpertsConfig, OptimizerConfig, ScheduleConfig
from motet.train.config.output import (
    CheckpointsConfig,
    EvaluationConfig,
    ExportConfig,
    LogConfig,
)
from motet.train.config.section import Section
from motet.train.objective import ObjectiveConfig

__all__ = ["TrainConfig"]


class TrainConfig(Section):
    """One run. output: its folder. name: what to call the model.

    Paths are relative to where the command is given. layout: for a base model or a new one; a model
    that has a layout keeps it. deterministic: on a GPU, use only kernels that give the same bits
    every time; the processor's always do.
    """

    output: str
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")] = "trained"
    seed: Annotated[int, Field(ge=0)] = 0
    deterministic: bool = False
    model: ModelConfig
    layout: LayoutConfig | None = None
    method: MethodConfig = MethodConfig()
    data: DataConfig
    objective: ObjectiveConfig = ObjectiveConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig
    experts: ExpertsConfig = ExpertsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    log: LogConfig = LogConfig()
    export: ExportConfig = ExportConfig()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.model.new is not None and self.layout is None:
            raise ValueError("a new model needs the section layout")
        if self.model.new is not None and self.method.kind == "lora":
            raise ValueError("a new model has nothing to freeze: method.kind must be full")
        if self.data.sequences_per_step % self.data.sequences_at_once:
            raise ValueError("data.sequences_per_step must be a multiple of data.sequences_at_once")
        return self
