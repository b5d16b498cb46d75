"""Figures of a model in training: the loss on data that is not trained on, and decoded replies.

Both are the real thing: the loss is the plain cross-entropy of the same forward pass, and replies
are decoded by the engine that talks, on the torch runtime, greedily, and judged as `motet eval`
judges. The work is divided among the processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motet.data.grids import GridDataset
from motet.data.token_grid import TokenGrid
from motet.engine import Engine, Sampling
from motet.errors import SettingError
from motet.eval.questions.asking import evaluate
from motet.eval.questions.judging import Outcome
from motet.eval.questions.question import Fields, Question, read_questions
from motet.eval.questions.trial import Trial
from motet.runtime.torch import TorchRuntime
from motet.streams.codec import StreamCodec
from motet.train.batch import Batch
from motet.train.collate import Collator
from motet.train.config import TrainConfig
from motet.train.objective import Objective
from motet.train.packing import cut
from motet.train.step import LossModel
from motet.train.trainer import StreamTrainer
from motet.train.window import FIELDS, channel_figures

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation looks at: conversations for the loss, questions for replies."""

    grids: tuple[TokenGrid, ...]
    questions: tuple[Question, ...]
    config: TrainConfig
    codec: StreamCodec

    @classmethod
    def of(
        cls, config: TrainConfig, datasets: Sequence[GridDataset], codec: StreamCodec
    ) -> Evaluation:
        """Read what `config` names; `datasets` are those of its evaluation, opened."""
        wanted = config.evaluation
        grids = [
            cut(dataset[i], config.data.rows_per_sequence)
            for dataset in datasets
            for i in range(min(len(dataset), wanted.num_conversations))
        ]
        questions: list[Question] = []
        if wanted.questions is not None:
            fields = Fields(wanted.question_field, wanted.answer_field)
            questions = read_questions(Path(wanted.questions), fields, wanted.num_questions)
        return cls(tuple(grids), tuple(questions), config, codec)

    def __call__(self, trainer: StreamTrainer) -> dict[str, float]:
        """The figures, the same in every process."""
        if self.questions and trainer.is_sharded:
            raise SettingError(
                "evaluation.questions", expected="none, where the weights are sharded",
                got=self.config.evaluation.questions,
                fix="evaluate the loss here, and the exported model with motet eval",
            )  # fmt: skip
        was_training = trainer.loss_model.training
        trainer.loss_model.eval()
        try:
            figures = self._losses(trainer) if self.grids else {}
            if self.questions:
                figures |= self._replies(trainer)
        finally:
            trainer.loss_model.train(was_training)
        return figures

    @torch.no_grad()
    def _losses(self, trainer: StreamTrainer) -> dict[str, float]:
        loss_model = trainer.loss_model
        layout, device = loss_model.model.layout, trainer.args.device
        trained_for = loss_model.objective
        plain = self.config.objective.model_copy(update={"mix": 1.0})
        loss_model.objective = Objective(plain, layout, self.config.seed)
        sums_FC = torch.zeros(len(FIELDS), layout.num_channels, dtype=torch.float64, device=device)
        try:
            for batch in self._batches(trainer):
                moved: Any = trainer._prepare_inputs(batch)
                items = torch.ones((), dtype=torch.float64, device=device)
                parts = loss_model(**moved, num_items_in_batch=items, step=0)
                sums_FC += torch.stack([getattr(parts, name) for name in FIELDS])
        finally:
            loss_model.objective = trained_for
        total = trainer.exchange(sums_FC).cpu()
        figures = channel_figures(layout, dict(zip(FIELDS, total, strict=True)))
        figures["loss"] = figures.pop("plain_loss")
        return figures

    def _batches(self, trainer: StreamTrainer) -> Iterable[Batch]:
        """The share of this process; all have equally many, if need be one that counts nothing."""
        accelerator = trainer.accelerator
        layout = trainer.loss_model.model.layout
        collate = Collator(layout, visible=False)
        size = self.config.data.sequences_at_once
        ordered = sorted(self.grids, key=lambda grid: grid.num_rows)
        starts = range(0, len(ordered), size)
        mine = list(starts[accelerator.process_index :: accelerator.num_processes])
        num_each = -(-len(starts) // accelerator.num_processes)
        for start in mine:
            yield collate([[grid] for grid in ordered[start : start + size]])
        for _ in range(num_each - len(mine)):
            nothing = collate([[ordered[0]]])
            yield {**nothing, "weights_BRC": torch.zeros_like(nothing["weights_BRC"])}

    def _replies(self, trainer: StreamTrainer) -> dict[str, float]:
        accelerator = trainer.accelerator
        mine = self.questions[accelerator.process_index :: accelerator.num_processes]
        trials = self.decode(trainer.loss_model, mine) if mine else []
        counts = torch.tensor(
            [
                len(trials),
                sum(trial.is_right for trial in trials),
                sum(trial.ended for trial in trials),
                sum(trial.outcome is Outcome.MUTE for trial in trials),
                sum(trial.num_rows or 0 for trial in trials),
            ],
            dtype=torch.float64,
        )  # fmt: skip
        total: Tensor = trainer.exchange(counts.to(trainer.args.device)).cpu()
        num, right, ended, mute, rows = total.tolist()
        return {
            "accuracy": right / num,
            "ended": ended / num,
            "mute": mute / num,
            "rows_per_reply": rows / num,
            "num_questions": num,
        }

    def decode(self, loss_model: LossModel, questions: Sequence[Question]) -> list[Trial]:
        """The replies to `questions`, greedy."""
        model = loss_model.model
        engine = Engine("in training", TorchRuntime(model), self.codec, Sampling(temperature=0.0))
        settings = engine.settings(max_rows=self.config.evaluation.max_rows)
        answer_after = self.config.evaluation.answer_after
        return evaluate(engine, questions, settings, answer_after=answer_after)
