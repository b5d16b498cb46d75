"""The numbers that shape a model, and the tensors that a model of these numbers must have.

One description for every architecture: `motet.formats.metadata` reads and writes it as the metadata
of a GGUF file, `motet.formats.config` as a transformers configuration. What it has no place for (an
unusual RoPE, a scale, a bias) is an error there, because leaving it out would change numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from motet.errors import CheckpointError
from motet.formats.names import CHANNEL_EMBEDDING, EMBEDDING, HEAD, ROPE_FACTORS

Shapes = Mapping[str, tuple[int, ...]]


class Architecture(StrEnum):
    """The architectures by their names in GGUF files."""

    LFM2_MOE = "lfm2moe"
    LFM2 = "lfm2"
    QWEN3 = "qwen3"
    LLAMA = "llama"


@dataclass(frozen=True)
class Hyperparameters:
    """Numbers of one model; letters as in the glossary, D, H, K, E, A, F, V, W.

    num_kv_heads: G of each layer, 0 where a layer has a short conv instead of attention.
    num_dense_layers: layers before the first with experts; all layers without experts.
    """

    architecture: Architecture
    vocab_size: int
    context_rows: int
    width: int
    num_heads: int
    head_width: int
    num_kv_heads: tuple[int, ...]
    ffn_width: int
    norm_eps: float
    rope_theta: float
    conv_width: int = 0
    num_dense_layers: int = 0
    num_experts: int = 0
    num_active_experts: int = 0
    expert_width: int = 0

    @property
    def num_layers(self) -> int:
        """Layers of either kind."""
        return len(self.num_kv_heads)

    @property
    def has_conv(self) -> bool:
        """Whether the architecture mixes short conv and attention layers (LFM2)."""
        return self.architecture in (Architecture.LFM2, Architecture.LFM2_MOE)

    @property
    def final_norm(self) -> str:
        """Name of the norm before the head."""
        return "token_embd_norm.weight" if self.has_conv else "output_norm.weight"

    def has_experts(self, layer: int) -> bool:
        """Whether a layer's feed-forward is a mixture of experts."""
        return self.num_experts > 0 and layer >= self.num_dense_layers

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the model must have, by name, slowest dimension first."""
        D = self.width
        shapes: dict[str, tuple[int, ...]] = {EMBEDDING: (self.vocab_size, D)}
        for layer, G in enumerate(self.num_kv_heads):
            mixer = self._attention(G) if G else self._conv()
            feed_forward = self._experts() if self.has_experts(layer) else self._dense()
            norms = {"attn_norm.weight": (D,), "ffn_norm.weight": (D,)}
            for name, shape in {**norms, **mixer, **feed_forward}.items():
                shapes[f"blk.{layer}.{name}"] = shape
        shapes[self.final_norm] = (D,)
        return shapes

    def _attention(self, G: int) -> dict[str, tuple[int, ...]]:
        D, H, K = self.width, self.num_heads, self.head_width
        shapes: dict[str, tuple[int, ...]] = {
            "attn_q.weight": (H * K, D),
            "attn_k.weight": (G * K, D),
            "attn_v.weight": (G * K, D),
            "attn_output.weight": (D, H * K),
        }
        if self.architecture is not Architecture.LLAMA:
            shapes |= {"attn_q_norm.weight": (K,), "attn_k_norm.weight": (K,)}
        return shapes

    def _conv(self) -> dict[str, tuple[int, ...]]:
        D = self.width
        return {
            "shortconv.in_proj.weight": (3 * D, D),
            "shortconv.conv.weight": (D, self.conv_width),
            "shortconv.out_proj.weight": (D, D),
        }

    def _dense(self) -> dict[str, tuple[int, ...]]:
        D, F = self.width, self.ffn_width
        return {
            "ffn_gate.weight": (F, D),
            "ffn_up.weight": (F, D),
            "ffn_down.weight": (D, F),
        }

    def _experts(self) -> dict[str, tuple[int, ...]]:
        D, E, F = self.width, self.num_experts, self.expert_width
        return {
            "ffn_gate_inp.weight": (E, D),
            "exp_probs_b.bias": (E,),
            "ffn_gate_exps.weight": (E, F, D),
            "ffn_up_exps.weight": (E, F, D),
            "ffn_down_exps.weight": (E, D, F),
        }


def check_shapes(numbers: Hyperparameters, found: Shapes, num_channels: int, where: str) -> None:
    """CheckpointError unless `found` are the tensors of a model of these numbers.

    An untied head, the channel embedding of `num_channels` channels, and `llama`'s table of RoPE
    factors may come beside those that must be there.
    """
    wanted = numbers.shapes()
    extra: dict[str, tuple[int, ...]] = {
        HEAD: (numbers.vocab_size, numbers.width),
        CHANNEL_EMBEDDING: (num_channels, numbers.width),
    }
    if numbers.architecture is Architecture.LLAMA:
        extra[ROPE_FACTORS] = (numbers.head_width // 2,)
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted and name not in extra]
    if missing or unknown:
        got = "; ".join(
            f"{what}: {_few(names)}"
            for what, names in (("missing", missing), ("unexpected", unknown))
            if names
        )
        raise CheckpointError(
            f"{where}: tensors", expected=f"those of {numbers.architecture}", got=got
        )
    for name, shape in {**wanted, **extra}.items():
        if name in found and found[name] != shape:
            raise CheckpointError(
                f"{where}: {name}", expected=f"shape {list(shape)}", got=list(found[name])
            )


def check_numbers(numbers: Hyperparameters, where: str) -> None:
    """CheckpointError if numbers that are right one by one make no model together."""
    G = set(numbers.num_kv_heads)
    unfit = {
        "head width (even)": numbers.head_width % 2 != 0,
        "KV heads (divisors of the query heads)": any(g and numbers.num_heads % g for g in G),
        "layers without attention (only LFM2 has them)": 0 in G and not numbers.has_conv,
        "attention layers (at least one)": G == {0},
        "active experts (at most all)": numbers.num_active_experts > numbers.num_experts,
    }
    for what, is_unfit in unfit.items():
        if is_unfit:
            raise CheckpointError(where, expected="a model that fits together", got=f"unfit {what}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
