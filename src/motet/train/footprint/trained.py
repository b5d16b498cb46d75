"""Which numbers learn, and which are only read: counted from the sizes of a model.

full   everything but the bias that balances the experts
LoRA   r (n + m) for each matrix [n, m], r E (n + m) for a stack of E of them, and the channel
       embedding (Hu et al. 2021, arXiv:2106.09685)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from motet.formats.hyperparameters import Hyperparameters

__all__ = ["Trained"]

_LINEAR = (
    "attn_q", "attn_k", "attn_v", "attn_output", "shortconv.in_proj", "shortconv.out_proj",
    "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip
_BIAS = "exp_probs_b.bias"


@dataclass(frozen=True, slots=True)
class Trained:
    """Parameters in all, those that learn, and those of the largest layer.

    matrices: of those that learn, the ones that Muon takes. expert_copies: numbers that LoRA on
    experts holds as sums of frozen and learned weights, of all layers and of one.
    """

    total: int
    learning: int
    matrices: int
    largest_layer: int
    is_lora: bool = False
    expert_copies: int = 0
    layer_expert_copies: int = 0

    @classmethod
    def full(cls, numbers: Hyperparameters, num_channels: int) -> Trained:
        """Everything learns; the head is tied, the channel embedding [C, D] comes with C > 1."""
        shapes = numbers.shapes()
        embedding = num_channels * numbers.width if num_channels > 1 else 0
        learned = {n: s for n, s in shapes.items() if not n.endswith(_BIAS)}
        matrices = sum(
            prod(shape)
            for name, shape in learned.items()
            if name.startswith("blk.")
            and len(shape) > 1
            and not name.endswith(("shortconv.conv.weight", "ffn_gate_inp.weight"))
        )
        return cls(
            total=sum(map(prod, shapes.values())) + embedding,
            learning=sum(map(prod, learned.values())) + embedding,
            matrices=matrices,
            largest_layer=_largest_layer(numbers),
        )

    @classmethod
    def lora(
        cls, numbers: Hyperparameters, num_channels: int, rank: int, *, experts: bool
    ) -> Trained:
        """LoRA of `rank` on every linear layer, and on the experts if they learn too."""
        whole = cls.full(numbers, num_channels)
        shapes = numbers.shapes()
        linear = [s for n, s in shapes.items() if n.split(".", 2)[-1][: -len(".weight")] in _LINEAR]
        added = sum(rank * (n + m) for n, m in linear)
        copies = layer_copies = 0
        if experts and numbers.num_experts:
            D, E, F = numbers.width, numbers.num_experts, numbers.expert_width
            num_layers = numbers.num_layers - numbers.num_dense_layers
            added += num_layers * rank * E * ((2 * F + D) + (D + F))
            layer_copies = 3 * E * D * F
            copies = num_layers * layer_copies
        embedding = num_channels * numbers.width if num_channels > 1 else 0
        return cls(
            total=whole.total + added,
            learning=added + embedding,
            matrices=added,
            largest_layer=whole.largest_layer,
            is_lora=True,
            expert_copies=copies,
            layer_expert_copies=layer_copies,
        )


def _largest_layer(numbers: Hyperparameters) -> int:
    layers: dict[str, int] = {}
    for name, shape in numbers.shapes().items():
        if name.startswith("blk."):
            layer = name.split(".")[1]
            layers[layer] = layers.get(layer, 0) + prod(shape)
    return max(layers.values())
