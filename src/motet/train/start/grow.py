"""A larger model from a trained one: more layers, more experts.

New layers stand behind the first two thirds. Each copies the last layer of its kind before it, with
outputs of zero, so that at first it changes nothing. New experts are noisy copies of old ones,
chosen at random: copies without noise would be chosen, and learn, alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM

from motet.errors import SettingError
from motet.formats.config import ATTENTION, CONV
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.config.model import GrowConfig

__all__ = ["grown", "layer_sources", "widen_experts"]

EXPERT_NOISE = 0.3
"""Standard deviation of the noise on a copied expert, as a share of the weights' own."""

_LETTERS = {CONV: "c", ATTENTION: "a"}
_OUTPUTS = re.compile(r"\.(conv\.out_proj|self_attn\.out_proj|experts\.down_proj|w2)\b")
_LAYER = re.compile(r"(?<=\.layers\.)\d+(?=\.)")


def layer_sources(old: str, new: str, num_dense: int = 0) -> list[tuple[int, bool]]:
    """For each letter of `new`: the layer of `old` to copy, and whether it is an added one.

    SettingError if `new` is not `old` with copies of layers (not of the first `num_dense`)
    behind its first two thirds.
    """
    place = len(old) * 2 // 3
    num_added = len(new) - len(old)
    added = new[place : place + num_added]
    fits = new == old[:place] + added + old[place:] and set(added) <= set(old[num_dense:place])
    if num_added < 0 or not fits:
        raise SettingError(
            "model.grow.layers", expected=f"{old} with copies of its layers behind place {place}",
            got=new,
        )  # fmt: skip
    sources = [(index, False) for index in range(place)]
    sources += [(old.rindex(letter, 0, place), True) for letter in added]
    return sources + [(index, False) for index in range(place, len(old))]


def widen_experts(weights_E: Tensor, chosen: Sequence[int]) -> Tensor:
    """`weights_E` with noisy copies of the chosen experts behind (of biases, plain copies)."""
    copies = weights_E[list(chosen)].clone()
    if copies.ndim > 1:
        copies += torch.randn_like(copies) * weights_E.std() * EXPERT_NOISE
    return torch.cat([weights_E, copies])


@torch.no_grad()
def grown(old: MultiStreamModel, config: GrowConfig) -> MultiStreamModel:
    """A model with the layers and experts of `config` that begins as what `old` has learned.

    SettingError if `old` is no mixture of experts, or can't grow so.
    """
    shapes = old.config
    if shapes.model_type != "lfm2_moe":
        raise SettingError(
            "model.grow", expected="a model of type lfm2_moe", got=repr(shapes.model_type)
        )
    old_layers = "".join(_LETTERS[kind] for kind in shapes.layer_types)
    layers = config.layers or old_layers
    sources = layer_sources(old_layers, layers, shapes.num_dense_layers)
    num_old = shapes.num_experts
    num_experts = config.num_experts or num_old
    if not num_old <= num_experts <= 2 * num_old:
        raise SettingError(
            "model.grow.num_experts", expected=f"{num_old} to {2 * num_old}", got=num_experts
        )
    model = MultiStreamModel(_larger(shapes, layers, num_experts), old.layout)
    chosen = [torch.randperm(num_old)[: num_experts - num_old].tolist() for _ in sources]
    old_weights = old.state_dict()
    weights = {}
    for name, like in model.state_dict().items():
        layer = _LAYER.search(name)
        if layer is None:
            weights[name] = old_weights[name]
            continue
        source, is_added = sources[int(layer.group())]
        weight = old_weights[_LAYER.sub(str(source), name)]
        if weight.shape != like.shape:
            weight = widen_experts(weight, chosen[int(layer.group())])
        weights[name] = weight * 0 if is_added and _OUTPUTS.search(name) else weight
    model.load_state_dict(weights)
    return model


def _larger(shapes: Lfm2MoeConfig, layers: str, num_experts: int) -> Lfm2MoeForCausalLM:
    kinds = {letter: kind for kind, letter in _LETTERS.items()}
    values = shapes.to_dict() | {
        "num_hidden_layers": len(layers),
        "layer_types": [kinds[letter] for letter in layers],
        "num_experts": num_experts,
    }
    base = Lfm2MoeForCausalLM(Lfm2MoeConfig(**values))
    base.set_experts_implementation("grouped_mm")
    return base
