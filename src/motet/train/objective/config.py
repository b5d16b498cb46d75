"""The knobs of the objective."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ObjectiveConfig"]

Share = Annotated[float, Field(ge=0, le=1)]


class ObjectiveConfig(BaseModel):
    """Cross-entropy of the next row with a weight for silence, mixed with LongCE-channel.

    With w as in `motet.train.objective.longce`, a target of weight a counts
    a * (mix + (1 - mix) * w), and the loss is divided by the sum of all a of the step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    silence_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Weight of a target that is the silence token; 0 leaves such targets out altogether."""

    mix: Share = 0.4
    """Share of plain cross-entropy; 1 is plain cross-entropy alone, at no cost."""

    gamma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    """The largest weight that LongCE gives to a target."""

    positive_only: bool = False
    """Never weigh a target less because the other channels misled: w >= 1."""

    mean_one: bool = False
    """Divide w by its mean over the targets of a channel in a conversation."""

    hidden: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    """Channels that the counterfactual hides from the others; none given: all of them.

    `hidden = ["Output", "Think", "Skeptical"]` keeps User visible to everyone.
    """

    probability: Share = 1.0
    """Share of the optimizer's steps with LongCE; the others are plain cross-entropy."""

    logits_bytes: Annotated[int, Field(ge=1)] = 1 << 28
    """Logits that exist at once, in bytes of float32; more are computed in pieces, twice."""
