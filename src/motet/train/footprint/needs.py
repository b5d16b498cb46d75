"""Memory of one device: weights, gradients, optimizer, activations, logits.

    float32              4 bytes a weight, 4 a gradient, 8 for AdamW's two averages
    bfloat16             2, 2, 4: everything in bfloat16
    mixed_bfloat16       4, 4, 8, and a copy of 2 for the arithmetic

Sharding over n devices: `none` keeps all on each (DDP); `zero2` shares out gradients and averages
(Rajbhandari et al. 2020, arXiv:1910.02054); `full` the weights as well (FSDP2, ZeRO-3), and gathers
a layer at a time: the one that computes, the next, and the gradient of one. Not counted: what the
device's libraries take for themselves (about 1 GB with CUDA) and gaps between blocks (leave a
tenth).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from motet.formats.hyperparameters import Hyperparameters
from motet.train.config.model import Precision
from motet.train.footprint.activations import activation_bytes
from motet.train.footprint.trained import Trained

__all__ = ["Memory", "Sharding", "memory_of"]

_LORA_BYTES = 4
_LOGIT_COPIES = 3
"""Logits, their softmax and their gradient exist at once."""


class Sharding(StrEnum):
    """What the devices share out between them."""

    NONE = "none"
    ZERO2 = "zero2"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on each device. gathered: weights in the form or the place that arithmetic needs."""

    weights: int
    gradients: int
    optimizer: int
    gathered: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return (
            self.weights + self.gradients + self.optimizer
            + self.gathered + self.activations + self.logits
        )  # fmt: skip


def memory_of(
    numbers: Hyperparameters,
    trained: Trained,
    *,
    num_cells: int,
    precision: Precision,
    optimizer: str,
    checkpointing: bool,
    logits_bytes: int,
    num_devices: int = 1,
    sharding: Sharding = Sharding.NONE,
    shares_heads: bool = False,
) -> Memory:
    """The memory of a training step on each of `num_devices`.

    num_cells: B * R * C of one forward on one device. optimizer: adamw or muon (which keeps one
    average of matrices). logits_bytes: of the objective's configuration. shares_heads: see
    `activations`.
    """
    is_full = sharding is Sharding.FULL
    weight_parts = num_devices if is_full else 1
    state_parts = num_devices if sharding is not Sharding.NONE else 1
    stored = 2 if precision is Precision.BFLOAT16 else 4
    arithmetic = 4 if precision is Precision.FLOAT32 else 2
    frozen = trained.total - trained.learning
    learned = _LORA_BYTES if trained.is_lora else stored
    averages = 2 * trained.learning - (trained.matrices if optimizer == "muon" else 0)
    copies = trained.layer_expert_copies if checkpointing else trained.expert_copies
    gathered = copies * arithmetic
    if precision is Precision.MIXED_BFLOAT16:
        gathered += arithmetic * (trained.largest_layer if checkpointing else trained.total)
    if is_full and num_devices > 1:
        num_copies = 2 if trained.is_lora else 3
        gathered += num_copies * trained.largest_layer * arithmetic
    return Memory(
        weights=(frozen * stored + trained.learning * learned) // weight_parts,
        gradients=trained.learning * learned // state_parts,
        optimizer=averages * learned // state_parts,
        gathered=gathered,
        activations=activation_bytes(
            numbers, num_cells,
            arithmetic_bytes=arithmetic,
            residual_bytes=2 if precision is Precision.BFLOAT16 else 4,
            checkpointing=checkpointing, shares_heads=shares_heads,
        ),
        logits=_LOGIT_COPIES * min(logits_bytes, 4 * num_cells * numbers.vocab_size),
    )  # fmt: skip
