"""The model together with its loss, as one module: what is wrapped to train on several devices.

Data parallelism and sharding act where a module's forward begins and ends, so everything that has a
gradient must happen inside one: the counterfactual, the pass, the head and the loss.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.batch import Batch
from motet.train.objective import LossParts, Objective

__all__ = ["LossModel"]


class LossModel(nn.Module):
    """`model` under `objective`. The names of its parameters begin with `model.`."""

    accepts_loss_kwargs = True  # the loss is normalised over the whole step

    def __init__(self, model: MultiStreamModel, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self._no_split_modules = list(getattr(model.base, "_no_split_modules", None) or [])

    def forward(
        self,
        tokens_BRC: Tensor,
        weights_BRC: Tensor,
        conversations_BR: Tensor,
        num_items_in_batch: Tensor,
        step: int,
    ) -> LossParts:
        """See `Objective.loss`."""
        batch: Batch = {
            "tokens_BRC": tokens_BRC,
            "weights_BRC": weights_BRC,
            "conversations_BR": conversations_BR,
        }
        return self.objective.loss(self.model, batch, num_items_in_batch, step)

    # How accelerate finds and shards the embedding, the head, and what they share.

    def get_input_embeddings(self) -> Any:
        """The token embedding."""
        return self.model.base.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        """The head."""
        return self.model.base.get_output_embeddings()

    def tie_weights(self) -> None:
        """Make the head the token embedding again, where it is."""
        self.model.base.tie_weights()
