"""Names of tensors: the keys of transformers checkpoints, and what GGUF files call them.

A key of the checkpoint is `model.layers.N.` and one of the left column below, a name in a file is
`blk.N.` and one of the right column. Experts are stacked in files; checkpoints hold them one by
one (`feed_forward.experts.J.w1.weight`), or stacked with gate and up in one tensor.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EMBEDDING = "token_embd.weight"
HEAD = "output.weight"
CHANNEL_EMBEDDING = "channel_embd.weight"
ROPE_FACTORS = "rope_freqs.weight"
_LAYER_NAMES = {  # of every architecture
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
}
_LFM2_NAMES = {
    "operator_norm.weight": "attn_norm.weight",
    "ffn_norm.weight": "ffn_norm.weight",
    "conv.in_proj.weight": "shortconv.in_proj.weight",
    "conv.conv.weight": "shortconv.conv.weight",
    "conv.out_proj.weight": "shortconv.out_proj.weight",
    "self_attn.out_proj.weight": "attn_output.weight",
    "self_attn.q_layernorm.weight": "attn_q_norm.weight",
    "self_attn.k_layernorm.weight": "attn_k_norm.weight",
    "feed_forward.w1.weight": "ffn_gate.weight",
    "feed_forward.w3.weight": "ffn_up.weight",
    "feed_forward.w2.weight": "ffn_down.weight",
    "feed_forward.gate.weight": "ffn_gate_inp.weight",
    "feed_forward.expert_bias": "exp_probs_b.bias",
}
_OTHER_NAMES = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
_ALL_NAMES = _LAYER_NAMES | _LFM2_NAMES | _OTHER_NAMES
GLOBAL_NAMES = {
    "model.embed_tokens.weight": EMBEDDING,
    "model.embedding_norm.weight": "token_embd_norm.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": HEAD,
}
CHANNEL_EMBEDDING_KEY = "channel_embedding.weight"
GATE_UP = "feed_forward.experts.gate_up_proj"
DOWN = "feed_forward.experts.down_proj"
EXPERT_NAMES = {
    "w1": "ffn_gate_exps.weight",
    "w3": "ffn_up_exps.weight",
    "w2": "ffn_down_exps.weight",
}
_LAYER = re.compile(r"model\.layers\.(0|[1-9][0-9]{0,5})\.(.+)")
_EXPERT = re.compile(r"feed_forward\.experts\.(0|[1-9][0-9]{0,5})\.(w[123])\.weight")


@dataclass(frozen=True)
class Place:
    """Where (a part of) a checkpoint's tensor goes.

    expert: which of the stacked experts it is, None for all or for what is no expert. half: 0 or 1
    if it is the first or second half of the rows of each matrix, None if it is all rows.
    """

    name: str
    expert: int | None = None
    half: int | None = None


def places(key: str) -> list[Place]:
    """Where the tensor called `key` in a checkpoint goes; empty if the key is not known."""
    if key in GLOBAL_NAMES:
        return [Place(GLOBAL_NAMES[key])]
    if not (match := _LAYER.fullmatch(key)):
        return []
    block, rest = f"blk.{match[1]}.", match[2]
    if rest in _ALL_NAMES:
        return [Place(block + _ALL_NAMES[rest])]
    if rest == DOWN:
        return [Place(block + EXPERT_NAMES["w2"])]
    if rest == GATE_UP:
        gate, up = EXPERT_NAMES["w1"], EXPERT_NAMES["w3"]
        return [Place(block + gate, half=0), Place(block + up, half=1)]
    if match := _EXPERT.fullmatch(rest):
        return [Place(block + EXPERT_NAMES[match[2]], expert=int(match[1]))]
    return []


def keys_of(name: str, num_experts: int, *, is_lfm2: bool) -> list[str]:
    """What a checkpoint calls the tensor `name` of a file; a stack of experts has a key for each.

    The keys are those that the authors of the architecture use. KeyError if there is none.
    """
    if name == CHANNEL_EMBEDDING:
        return [CHANNEL_EMBEDDING_KEY]
    if not name.startswith("blk."):
        return [next(key for key, value in GLOBAL_NAMES.items() if value == name)]
    _, layer, rest = name.split(".", 2)
    stem = f"model.layers.{layer}."
    for matrix, stacked in EXPERT_NAMES.items():
        if rest == stacked:
            experts = range(num_experts)
            return [f"{stem}feed_forward.experts.{j}.{matrix}.weight" for j in experts]
    names = _LAYER_NAMES | (_LFM2_NAMES if is_lfm2 else _OTHER_NAMES)
    return [stem + {value: key for key, value in names.items()}[rest]]
