"""The loss of a micro-batch.

    CE_self   no gradient, channels hidden, first: nothing else is in memory
    CE_full   with gradient
    loss    = sum_i a_i (mix + (1 - mix) w_i) CE_full_i / sum_i a_i

a is the weight of a target (silence has one of its own), w that of LongCE, and the sum in the
denominator runs over the whole step: all micro-batches of all processes. So the gradient of a step
is the same however it is divided among them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motet.runtime.torch.multistream import MultiStreamModel
from motet.streams.layout import Layout
from motet.train.batch import Batch
from motet.train.objective.config import ObjectiveConfig
from motet.train.objective.counterfactual import self_losses, views_of
from motet.train.objective.cross_entropy import token_losses
from motet.train.objective.longce import is_long_step, longce_weights
from motet.train.objective.parts import LossParts, parts_of
from motet.train.objective.targets import Targets, weights_of

__all__ = ["Objective"]


class Objective:
    """`config` for models of `layout`; `seed` decides which steps use LongCE.

    LayoutError if a channel to hide is not in the layout. Where nothing can be hidden, as with one
    channel, every w is 1, so LongCE is left out.
    """

    def __init__(self, config: ObjectiveConfig, layout: Layout, seed: int) -> None:
        self.config = config
        self.layout = layout
        self._seed = seed
        names = layout.names if config.hidden is None else config.hidden
        hidden = [layout.index(name) for name in names]
        self._views = views_of(layout.num_channels, layout.sampled_indices, hidden)
        self._hides = any(len(view.columns) < layout.num_channels for view in self._views)

    def num_items(self, batch: Batch) -> Tensor:
        """What the targets of a micro-batch count together, a float64 number."""
        return weights_of(batch, self.layout, self.config.silence_weight).sum(dtype=torch.float64)

    def loss(
        self, model: MultiStreamModel, batch: Batch, num_items_in_batch: Tensor, step: int
    ) -> LossParts:
        """The loss of a micro-batch of the optimizer's step `step`.

        num_items_in_batch: the sum of `num_items` over all micro-batches of all processes in the
        step. A micro-batch without targets has the loss 0, with gradients of 0.
        """
        config, budget = self.config, self.config.logits_bytes
        targets = Targets.of(batch, self.layout, config.silence_weight)
        self_losses_N = None
        if self._hides and is_long_step(config, self._seed, step):
            # without targets, too: where parameters are sharded, all processes must gather them
            self_losses_N = self_losses(model, batch, targets, self._views, budget)
        hidden_BRCD = model.hidden_of_grids(batch["tokens_BRC"], batch["conversations_BR"])
        losses_N, is_right_N = token_losses(
            model.head_module, targets.predicted_from(hidden_BRCD), targets.token_N,
            model.config.vocab_size, budget,
        )  # fmt: skip
        counts_N, w_N = targets.weight_N.to(losses_N), None
        if self_losses_N is not None:
            w_N = longce_weights(self_losses_N, losses_N, targets, config)
            counts_N = counts_N * (config.mix + (1.0 - config.mix) * w_N)
        num_items = num_items_in_batch.to(losses_N).clamp(min=torch.finfo(losses_N.dtype).tiny)
        total = (counts_N * losses_N).sum() / num_items
        C = self.layout.num_channels
        return parts_of(total, targets, C, losses_N, is_right_N, w_N, self_losses_N)
