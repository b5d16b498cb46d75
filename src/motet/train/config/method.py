"""Which parameters learn: all of them, or small matrices beside frozen ones (LoRA)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from motet.train.config.section import Count, Positive, Section, Share

__all__ = ["LoRAConfig", "MethodConfig"]

_MODULES = ("q_proj", "k_proj", "v_proj", "out_proj", "o_proj", "in_proj", "w1", "w2", "w3")


class LoRAConfig(Section):
    """W + alpha / rank * B A with small B and A (Hu et al. 2021, arXiv:2106.09685).

    modules: last parts of the names of the linear layers that get it (those that the model lacks
    are an error, unless they are the default). experts: also the experts, whose weights are stacks
    of matrices. Channel embeddings and added tokens always learn in full.
    """

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Share = 0.0
    modules: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    experts: bool = True

    @model_validator(mode="after")
    def _no_dropout_with_experts(self) -> Self:
        if self.experts and self.dropout:
            raise ValueError("dropout must be 0 where experts learn: their input is not dropped")
        return self

    @property
    def usual_modules(self) -> tuple[str, ...]:
        """What LoRA goes to where the configuration names nothing, as far as the model has it."""
        return _MODULES


class MethodConfig(Section):
    """kind: full or lora."""

    kind: Literal["full", "lora"] = "full"
    lora: LoRAConfig = LoRAConfig()
