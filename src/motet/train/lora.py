"""LoRA on a multi-stream model, its experts included, with nothing matched by accident.

The linear layers and the stacks of experts that are to learn are listed by their full names before
PEFT sees the model, and what PEFT made of them is held against that list: a name that silently
matches nothing, or more than it should, is an error. The channel embedding learns in full, and so
do the embeddings of added tokens. What learns is float32, whatever the frozen weights are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peft import LoraConfig
from peft.tuners.lora import LoraModel
from torch import nn

from motet.errors import SettingError
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.config.method import LoRAConfig

__all__ = ["Adapted", "adapt"]

_ADAPTER = "default"
_EXPERTS = ("gate_up_proj", "down_proj")


@dataclass(frozen=True)
class Adapted:
    """What learns through LoRA: full names of linear layers and of stacks of experts."""

    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    tuner: Any

    def merge(self) -> None:
        """Add what was learned to the frozen weights, and make the model an ordinary one again."""
        self.tuner.merge_and_unload()

    def summary(self) -> list[str]:
        """One line for each kind of layer: `18 x self_attn.q_proj`."""
        counts: dict[str, int] = {}
        for name in (*self.modules, *self.parameters):
            kind = ".".join(part for part in name.split(".")[-3:] if not part.isdecimal())
            counts[kind] = counts.get(kind, 0) + 1
        return [f"{count} x {kind}" for kind, count in sorted(counts.items())]


def adapt(model: MultiStreamModel, config: LoRAConfig, added_ids: tuple[int, ...]) -> Adapted:
    """Freeze `model` in place but for LoRA, its channel embedding and its added tokens.

    Raises SettingError if a module that the configuration names is not there, or PEFT adapted
    anything else than what was listed.
    """
    modules = _modules(model.base, config)
    parameters = _expert_parameters(model.base) if config.experts else ()
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # type: ignore[arg-type] # PEFT divides it by the rank
        lora_dropout=config.dropout,
        target_modules=list(modules),
        target_parameters=list(parameters) or None,
        trainable_token_indices=list(added_ids) or None,
        bias="none",
    )
    tuner = LoraModel(model.base, {_ADAPTER: lora}, _ADAPTER)
    adapted = Adapted(modules, parameters, tuner)
    _check(adapted)
    for parameter in model.parameters():
        if parameter.requires_grad:  # small steps would be lost in 8 bits of mantissa
            parameter.data = parameter.data.float()
    return adapted


def _modules(base: nn.Module, config: LoRAConfig) -> tuple[str, ...]:
    head = base.get_output_embeddings()  # type: ignore[operator]
    linear = [
        name
        for name, module in base.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    ]
    wanted = config.modules or config.usual_modules
    found = {part: [n for n in linear if n.rpartition(".")[2] == part] for part in wanted}
    missing = [part for part, names in found.items() if not names]
    if config.modules is not None and missing:
        there = sorted({name.rpartition(".")[2] for name in linear})
        raise SettingError(
            "method.lora.modules", expected=f"some of {', '.join(there)}", got=", ".join(missing)
        )
    return tuple(name for name in linear if name.rpartition(".")[2] in wanted)


def _expert_parameters(base: nn.Module) -> tuple[str, ...]:
    """Weights of experts, each a stack [E, out, in]."""
    return tuple(
        name
        for name, parameter in base.named_parameters()
        if parameter.ndim == 3 and name.rpartition(".")[2] in _EXPERTS
    )


def _check(adapted: Adapted) -> None:
    for what, listed, matched in (
        ("linear layers", adapted.modules, adapted.tuner.targeted_module_names),
        ("experts", adapted.parameters, adapted.tuner.targeted_parameter_names),
    ):
        if sorted(listed) != sorted(set(matched)):
            odd = sorted(set(listed) ^ set(matched))
            raise SettingError(
                f"LoRA on {what}", expected=f"{len(listed)} of them", got=f"{len(matched)}",
                fix=f"this version of PEFT treats them otherwise: {', '.join(odd[:3])}",
            )  # fmt: skip
