"""The state of one session in the torch runtime, and rows that continue several of them.

Keys and values of all attention layers lie in buffers reserved when the state is opened; a row
writes its cells at their place and nothing is ever concatenated. The conv past of a layer is the
last W-1 rows of its input. Snapshots of it are kept every `SNAPSHOT_ROWS` rows, so that a state
can be cut back to any row by reading at most that many rows again.

A forward packs the cells of all its sessions into one sequence without padding, so everything but
attention and conv is one large product; those two go session by session, each against its own
buffers. That makes a batch equal each session alone by construction, whatever the lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from motet.runtime.protocol import room_of
from motet.runtime.torch.shortconv import short_conv
from motet.runtime.torch.streams import Streams, attention, block_causal_mask
from motet.streams.grid import Tokens
from motet.streams.layout import ConvMode

SNAPSHOT_ROWS = 32

ConvPast = dict[int, Tensor]  # layer -> the W-1 rows before, [W-1, C, D]


@dataclass(eq=False)
class TorchState:
    """One session's past. `kv[layer]`: [2, G, max_rows * C, K], unused beyond num_rows * C."""

    num_rows: int
    max_rows: int
    tokens: Tokens = field(repr=False)
    kv: dict[int, Tensor] = field(repr=False)
    conv: ConvPast = field(repr=False)
    snapshots: dict[int, ConvPast] = field(repr=False)

    @property
    def tokens_RC(self) -> Tokens:
        """The tokens that were read, [num_rows, C]; a copy."""
        return self.tokens[: self.num_rows].copy()

    @property
    def num_bytes(self) -> int:
        """Bytes reserved for keys, values and conv inputs."""
        pasts = [self.conv, *self.snapshots.values()]
        tensors = [*self.kv.values(), *(t for past in pasts for t in past.values())]
        return sum(tensor.nbytes for tensor in tensors)

    def fork(self, max_rows: int | None = None) -> TorchState:
        """An independent copy. Copies only what was read; conv pasts are never written in place."""
        room, num_channels = room_of(self, max_rows), self.tokens.shape[1]
        num_cells = self.num_rows * num_channels
        kv = {}
        for layer, buffer in self.kv.items():
            two, num_heads, _, head_width = buffer.shape
            kv[layer] = buffer.new_empty((two, num_heads, room * num_channels, head_width))
            kv[layer][:, :, :num_cells] = buffer[:, :, :num_cells]
        tokens = np.zeros((room, num_channels), self.tokens.dtype)
        tokens[: self.num_rows] = self.tokens[: self.num_rows]
        return TorchState(self.num_rows, room, tokens, kv, dict(self.conv), dict(self.snapshots))


class Continuation(Streams):
    """New rows of several sessions, packed as one sequence of cells [1, N]."""

    def __init__(
        self,
        states: Sequence[TorchState],
        tokens: Sequence[Tokens],
        conv_mode: ConvMode,
        device: torch.device,
    ) -> None:
        self._states = states
        self._tokens = tokens
        self._conv_mode = conv_mode
        self._num_rows = [block.shape[0] for block in tokens]
        self._num_channels = tokens[0].shape[1]
        self._num_cells = [rows * self._num_channels for rows in self._num_rows]
        self._padded: list[dict[int, Tensor]] = [{} for _ in states]
        self._positions = torch.cat(
            [
                torch.arange(s.num_rows, s.num_rows + R, device=device)
                for s, R in zip(states, self._num_rows, strict=True)
            ]
        ).repeat_interleave(self._num_channels)[None]
        masks: dict[tuple[int, int], Tensor] = {}
        for state, R in zip(states, self._num_rows, strict=True):
            key = (state.num_rows, R)
            if key not in masks:
                masks[key] = block_causal_mask(*key, self._num_channels, device)
        self._masks = [masks[s.num_rows, R] for s, R in zip(states, self._num_rows, strict=True)]

    @property
    def positions_BT(self) -> Tensor:
        """See `Streams`."""
        return self._positions

    def attend(
        self, layer: int, q_BHTK: Tensor, k_BGTK: Tensor, v_BGTK: Tensor, scale: float
    ) -> Tensor:
        """See `Streams`."""
        outputs, start = [], 0
        for state, num_cells, mask_TS in zip(
            self._states, self._num_cells, self._masks, strict=True
        ):
            cells = slice(start, start := start + num_cells)
            S = mask_TS.shape[1]
            k_GSK, v_GSK = state.kv[layer][:, :, :S]
            k_GSK[:, S - num_cells :] = k_BGTK[0, :, cells]
            v_GSK[:, S - num_cells :] = v_BGTK[0, :, cells]
            q_HTK = q_BHTK[:, :, cells]
            outputs.append(attention(q_HTK, k_GSK[None], v_GSK[None], mask_TS, scale))
        return torch.cat(outputs, dim=1)

    def convolve(
        self, layer: int, u_BTD: Tensor, weight_DW: Tensor, bias_D: Tensor | None
    ) -> Tensor:
        """See `Streams`."""
        outputs, start = [], 0
        for i, (state, num_cells) in enumerate(zip(self._states, self._num_cells, strict=True)):
            cells = slice(start, start := start + num_cells)
            u_BRCD: Tensor = u_BTD[:, cells].unflatten(1, (-1, self._num_channels))
            past_BPCD = state.conv[layer][None]
            v_BRCD, padded = short_conv(u_BRCD, past_BPCD, weight_DW, bias_D, self._conv_mode)
            self._padded[i][layer] = padded[0]
            outputs.append(v_BRCD.flatten(1, 2))
        return torch.cat(outputs, dim=1)

    def commit(self) -> None:
        """Advance every state past its new rows; until then a failed forward has changed none."""
        for state, block, padded in zip(self._states, self._tokens, self._padded, strict=True):
            before, after = state.num_rows, state.num_rows + block.shape[0]
            first = before + SNAPSHOT_ROWS - before % SNAPSHOT_ROWS
            for row in range(first, after + 1, SNAPSHOT_ROWS):
                state.snapshots[row] = _past_of(row - before, padded, state.conv)
            state.conv = _past_of(after - before, padded, state.conv)
            state.tokens[before:after] = block
            state.num_rows = after


def _past_of(row: int, padded: dict[int, Tensor], like: ConvPast) -> ConvPast:
    return {layer: padded[layer][row : row + past.shape[0]].clone() for layer, past in like.items()}


def open_state(
    config: object, C: int, max_rows: int, device: torch.device, dtype: torch.dtype
) -> TorchState:
    """An empty state for a model with this transformers configuration."""
    c: dict[str, int] = vars(config)
    K = c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]
    kv_shape = (2, c["num_key_value_heads"], max_rows * C, K)
    kv, conv = {}, {}
    for layer, kind in enumerate(config.layer_types):  # type: ignore[attr-defined]
        if kind == "conv":
            conv[layer] = torch.zeros(
                c["conv_L_cache"] - 1, C, c["hidden_size"], device=device, dtype=dtype
            )
        else:
            kv[layer] = torch.empty(kv_shape, device=device, dtype=dtype)
    return TorchState(0, max_rows, np.zeros((max_rows, C), np.int32), kv, conv, {0: conv})
