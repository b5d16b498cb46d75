"""Which way the products with each weight take, decided once when a model is opened.

    own    interleaved weights in the kernels of this package: quantised ones times activations of
           8 bits, floats times float32
    ggml   ggml's own operation, for any type and shape

A feed-forward goes through our own kernels as a whole or not at all. Float weights do if there are
few of them: a large model of floats would need a second copy, and waits for memory anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from motet.formats.ggml_types import GGMLType
from motet.formats.hyperparameters import Hyperparameters
from motet.formats.names import EMBEDDING, HEAD
from motet.runtime.native.kernels import best_level, misfit, takes_floats

MOST_FLOAT_BYTES = 1 << 28
_MIXERS = (
    "attn_q", "attn_k", "attn_v", "attn_output", "shortconv.in_proj", "shortconv.out_proj",
)  # fmt: skip
_DENSE = ("ffn_gate", "ffn_up", "ffn_down")
_EXPERTS = ("ffn_gate_exps", "ffn_up_exps", "ffn_down_exps")
_ROUTER = "ffn_gate_inp"

Kinds = Mapping[str, tuple[GGMLType, tuple[int, ...]]]


class Kernels(StrEnum):
    """Which kernels may be used: our own where they fit, or ggml's alone."""

    OWN = "own"
    STOCK = "stock"


@dataclass(frozen=True)
class Path:
    """The way of one weight's products. reason: why it is this one."""

    name: str
    type: GGMLType
    is_own: bool
    reason: str


def choose(numbers: Hyperparameters, kinds: Kinds, kernels: Kernels) -> dict[str, Path]:
    """The path of every weight that is multiplied with, by name.

    kinds: type and shape of each tensor.
    """
    float_bytes = sum(kind.num_bytes(shape) for kind, shape in kinds.values() if takes_floats(kind))
    paths: dict[str, Path] = {}
    for layer in range(numbers.num_layers):
        feed_forward = _EXPERTS if numbers.has_experts(layer) else _DENSE
        for group in (*((name,) for name in _MIXERS), feed_forward, (_ROUTER,)):
            names = [f"blk.{layer}.{part}.weight" for part in group]
            paths |= _together([n for n in names if n in kinds], kinds, kernels, float_bytes)
    head = HEAD if HEAD in kinds else EMBEDDING
    return paths | _together([head], kinds, kernels, float_bytes)


def _together(
    names: list[str], kinds: Kinds, kernels: Kernels, float_bytes: int
) -> dict[str, Path]:
    """The path of weights that must take the same one."""
    reason = _why_not_own([kinds[name] for name in names], kernels, float_bytes)
    why = reason or f"compiled for {best_level().name}"
    return {name: Path(name, kinds[name][0], reason is None, why) for name in names}


def _why_not_own(
    weights: list[tuple[GGMLType, tuple[int, ...]]], kernels: Kernels, float_bytes: int
) -> str | None:
    if kernels is Kernels.STOCK:
        return "ggml was asked for"
    are_floats = {takes_floats(kind) for kind, _ in weights}
    if len(are_floats) > 1:
        return "floats beside quantised weights"
    if True in are_floats and float_bytes >= MOST_FLOAT_BYTES:
        return f"{float_bytes >> 20} MB of floats"
    for weight in weights:
        if (reason := misfit(*weight)) is not None:
            return reason
    return None if best_level().is_fast else "no kernels for this processor"
