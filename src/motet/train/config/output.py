"""What a run measures while it trains, and what it leaves behind."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from motet.formats.quantize import Quant
from motet.train.config.section import Count, NotNegative, Section

__all__ = ["CheckpointsConfig", "EvaluationConfig", "ExportConfig", "LogConfig"]


class EvaluationConfig(Section):
    """every_steps: 0 for never. data: datasets of grids, whose loss is taken as they are.

    questions: a JSONL of questions and answers; the model decodes replies (greedily, at most
    max_rows rows each) to the first num_questions; an answer counts from behind `answer_after`, if
    that is given. best: the figure that decides which checkpoint is the best one, if it is better
    by more than min_gain. patience: stop after so many evaluations without; 0 for never.
    """

    every_steps: Annotated[int, Field(ge=0)] = 0
    data: tuple[str, ...] = ()
    num_conversations: Count = 256
    questions: str | None = None
    question_field: str = "question"
    answer_field: str = "answer"
    answer_after: str | None = None
    num_questions: Count = 100
    max_rows: Count = 512
    best: Literal["loss", "spoken_loss", "accuracy"] = "loss"
    min_gain: NotNegative = 0.0
    patience: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _has_figures(self) -> Self:
        if self.every_steps and not self.data and self.questions is None:
            raise ValueError("an evaluation needs data or questions")
        if self.every_steps and self.best == "accuracy" and self.questions is None:
            raise ValueError("best = accuracy needs questions")
        if self.every_steps and self.best != "accuracy" and not self.data:
            raise ValueError(f"best = {self.best} needs data")
        if self.patience and not self.every_steps:
            raise ValueError("patience needs every_steps")
        return self


class CheckpointsConfig(Section):
    """every_steps: how often. keep: how many of the latest; the best one is always kept."""

    every_steps: Count = 500
    keep: Count = 2


class LogConfig(Section):
    """every_steps: a line of metrics.jsonl. report_to: trackers of transformers, by name."""

    every_steps: Count = 10
    report_to: tuple[str, ...] = ()


class ExportConfig(Section):
    """At the end: precision of the weights in last/ and best/, and the types of GGUF files there.

    row_bits: matrices are rounded to integers of so many bits, sign included, times a power of 2
    for each row, so that the file compresses better; 0: not rounded. greedy: recommend temperature
    0. chat_template: a file of Jinja for a one-channel model.
    """

    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    row_bits: Literal[0, 3, 4, 5, 6, 7, 8, 9, 10, 11] = 0
    gguf: tuple[Quant, ...] = ()
    greedy: bool = False
    chat_template: str | None = None
