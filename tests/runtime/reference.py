"""A slow multi-stream transformer: NumPy, float64, one cell and one head at a time.

Written from the formulas alone (arXiv:2605.12460 for the streams, the LFM2 and Qwen3 model cards
for the blocks) as the thing that fast runtimes must equal. It shares no code with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# parameter names of LFM2 -> those of Qwen3
QWEN3_NAMES = {
    "operator_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "self_attn.q_layernorm": "self_attn.q_norm",
    "self_attn.k_layernorm": "self_attn.k_norm",
    "self_attn.out_proj": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w3": "mlp.up_proj",
    "feed_forward.w2": "mlp.down_proj",
    "embedding_norm": "norm",
}


def rms_norm(x_D: Array, weight_D: Array, eps: float) -> Array:
    return x_D / np.sqrt(np.mean(x_D * x_D) + eps) * weight_D


def silu(x: Array) -> Array:
    return x / (1.0 + np.exp(-x))


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def swiglu(x_D: Array, gate_FD: Array, up_FD: Array, down_DF: Array) -> Array:
    return down_DF @ (silu(gate_FD @ x_D) * (up_FD @ x_D))


def rotate(x_K: Array, position: int, theta: float) -> Array:
    """RoPE, rotate-half: component i turns together with component i + K/2."""
    half = len(x_K) // 2
    turned = np.empty_like(x_K)
    for i in range(half):
        angle = position * theta ** (-2.0 * i / len(x_K))
        a, b = x_K[i], x_K[i + half]
        turned[i] = a * np.cos(angle) - b * np.sin(angle)
        turned[i + half] = b * np.cos(angle) + a * np.sin(angle)
    return turned


@dataclass(frozen=True)
class Reference:
    """One model: its tensors as float64 by their LFM2 names, and the numbers of its shape.

    alone: channels do not see each other, only what their own said before.
    """

    tensors: Mapping[str, Array]
    channel_embedding_CD: Array
    layer_types: list[str]
    num_heads: int
    num_kv_heads: int
    num_active_experts: int
    theta: float
    eps: float
    row_boundary: bool
    alone: bool = False

    def logits(self, tokens_RC: NDArray[np.int32]) -> Array:
        """[R, C, V]"""
        R, C = tokens_RC.shape
        embedding_VD = self.tensors["embed_tokens"]
        x = {
            (r, c): embedding_VD[tokens_RC[r, c]] + self.channel_embedding_CD[c]
            for r in range(R)
            for c in range(C)
        }
        for layer, kind in enumerate(self.layer_types):
            name = f"layers.{layer}."
            normed = {
                at: rms_norm(v, self.tensors[name + "operator_norm"], self.eps)
                for at, v in x.items()
            }
            mixed = (
                self._conv(name + "conv.", normed, R, C)
                if kind == "conv"
                else self._attention(name + "self_attn.", normed)
            )
            for at in x:
                x[at] = x[at] + mixed[at]
                normed_D = rms_norm(x[at], self.tensors[name + "ffn_norm"], self.eps)
                x[at] = x[at] + self._feed_forward(name + "feed_forward.", normed_D)
        head_VD = self.tensors.get("lm_head", embedding_VD)
        logits = np.empty((R, C, len(head_VD)))
        for at, v in x.items():
            logits[at] = head_VD @ rms_norm(v, self.tensors["embedding_norm"], self.eps)
        return logits

    def _attention(
        self, name: str, x: dict[tuple[int, int], Array]
    ) -> dict[tuple[int, int], Array]:
        w = {
            part: self.tensors[name + part]
            for part in ("q_proj", "k_proj", "v_proj", "out_proj", "q_layernorm", "k_layernorm")
        }
        query: dict[tuple[int, int], list[Array]] = {}
        key: dict[tuple[int, int], list[Array]] = {}
        value: dict[tuple[int, int], list[Array]] = {}
        for (r, c), x_D in x.items():
            query[r, c] = [
                rotate(rms_norm(q_K, w["q_layernorm"], self.eps), r, self.theta)
                for q_K in np.split(w["q_proj"] @ x_D, self.num_heads)
            ]
            key[r, c] = [
                rotate(rms_norm(k_K, w["k_layernorm"], self.eps), r, self.theta)
                for k_K in np.split(w["k_proj"] @ x_D, self.num_kv_heads)
            ]
            value[r, c] = np.split(w["v_proj"] @ x_D, self.num_kv_heads)
        out = {}
        for r, c in x:
            visible = [at for at in x if at[0] < r or at == (r, c)]
            if self.alone:
                visible = [at for at in visible if at[1] == c]
            heads = []
            for h in range(self.num_heads):
                g = h * self.num_kv_heads // self.num_heads
                q_K = query[r, c][h]
                scores = np.array([q_K @ key[at][g] for at in visible]) / np.sqrt(len(q_K))
                weights = np.exp(scores - scores.max())
                weights = weights / weights.sum()
                heads.append(sum(p * value[at][g] for p, at in zip(weights, visible, strict=True)))
            out[r, c] = w["out_proj"] @ np.concatenate(heads)
        return out

    def _conv(
        self, name: str, x: dict[tuple[int, int], Array], R: int, C: int
    ) -> dict[tuple[int, int], Array]:
        in_proj, out_proj = self.tensors[name + "in_proj"], self.tensors[name + "out_proj"]
        taps_DW = self.tensors[name + "conv"][:, 0, :]
        width = taps_DW.shape[1]
        u, gate_out = {}, {}
        for at, x_D in x.items():
            gate_in, gate_out[at], inner = np.split(in_proj @ x_D, 3)
            u[at] = gate_in * inner
        out = {}
        for r in range(R):
            boundary = [(row, c) for row in range(r) for c in range(C)][-(width - 1) :]
            for c in range(C):
                column = [(row, c) for row in range(max(0, r - width + 1), r)]
                past = boundary if self.row_boundary else column
                v_D = np.zeros(len(taps_DW))
                for back, at in enumerate([(r, c), *reversed(past)]):
                    v_D = v_D + taps_DW[:, width - 1 - back] * u[at]
                out[r, c] = out_proj @ (gate_out[r, c] * v_D)
        return out

    def _feed_forward(self, name: str, x_D: Array) -> Array:
        if name + "w1" in self.tensors:
            w1, w2, w3 = (self.tensors[name + w] for w in ("w1", "w2", "w3"))
            return swiglu(x_D, w1, w3, w2)
        scores_E = sigmoid(self.tensors[name + "gate"] @ x_D)
        biased_E = scores_E + self.tensors[name + "expert_bias"]
        chosen = sorted(range(len(scores_E)), key=lambda e: -biased_E[e])[: self.num_active_experts]
        total = sum(scores_E[e] for e in chosen) + 1e-6
        y_D = np.zeros_like(x_D)
        for e in chosen:
            gate_FD, up_FD = np.split(self.tensors[name + "experts.gate_up_proj"][e], 2)
            down_DF = self.tensors[name + "experts.down_proj"][e]
            y_D = y_D + scores_E[e] / total * swiglu(x_D, gate_FD, up_FD, down_DF)
        return y_D


def lfm2_name(name: str) -> str:
    """The LFM2 name of a tensor of any of the architectures, without prefix and suffix."""
    name = name.removeprefix("model.").removesuffix(".weight")
    for lfm2, qwen3 in QWEN3_NAMES.items():
        if name == qwen3 or name.endswith("." + qwen3):
            name = name.removesuffix(qwen3) + lfm2
    return name
