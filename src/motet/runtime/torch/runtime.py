"""The torch runtime behind the seam of `motet.runtime.protocol`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from motet.errors import StateError
from motet.runtime.protocol import Wanted, check_tokens
from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.saved import load_state, save_state
from motet.runtime.torch.state import Continuation, TorchState, open_state
from motet.streams.grid import Tokens
from motet.streams.layout import Layout

PREFILL_ROWS = 256


class TorchRuntime:
    """A multi-stream model in evaluation mode, reading rows for many sessions."""

    def __init__(self, model: MultiStreamModel) -> None:
        self.model = model.eval()
        self._device = model.base.device
        self._dtype = model.base.dtype

    @property
    def layout(self) -> Layout:
        """The layout that travels with the weights."""
        return self.model.layout

    @property
    def vocab_size(self) -> int:
        """V."""
        return int(self.model.config.vocab_size)

    @property
    def context_rows(self) -> int:
        """Rows that the model's positions reach."""
        return int(self.model.config.max_position_embeddings)

    def open(self, max_rows: int) -> TorchState:
        """An empty state with room for `max_rows` rows, reserved now."""
        if not 1 <= max_rows <= self.context_rows:
            raise StateError("max_rows", expected=f"1 to {self.context_rows}", got=max_rows)
        C = self.layout.num_channels
        return open_state(self.model.config, C, max_rows, self._device, self._dtype)

    def forward(
        self,
        states: Sequence[TorchState],
        tokens: Sequence[Tokens],
        *,
        wanted: Wanted = Wanted.LAST,
        channels: Sequence[int] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Read rows; see `Runtime.forward`. Long prefills are read in blocks of 256 rows."""
        check_tokens(self, states, tokens, channels)
        columns = list(range(self.layout.num_channels) if channels is None else channels)
        parts: list[list[NDArray[np.float32]]] = [[] for _ in states]
        for start in range(0, max((block.shape[0] for block in tokens), default=0), PREFILL_ROWS):
            stop = start + PREFILL_ROWS
            live = [i for i, block in enumerate(tokens) if block.shape[0] > start]
            blocks = [tokens[i][start:stop] for i in live]
            is_last = [tokens[i].shape[0] <= stop for i in live]
            logits = self._read([states[i] for i in live], blocks, is_last, wanted, columns)
            for i, block_logits in zip(live, logits, strict=True):
                parts[i].append(block_logits)
        return [np.concatenate(part) if len(part) > 1 else part[0] for part in parts]

    @torch.inference_mode()
    def _read(
        self,
        states: Sequence[TorchState],
        blocks: Sequence[Tokens],
        is_last: Sequence[bool],
        wanted: Wanted,
        columns: list[int],
    ) -> list[NDArray[np.float32]]:
        C = self.layout.num_channels
        streams = Continuation(states, blocks, self.layout.conv_mode, self._device)
        cells_N = torch.from_numpy(np.concatenate(blocks).reshape(1, -1)).to(self._device)
        hidden_RCD = self.model.hidden(cells_N.long(), streams)[0].unflatten(0, (-1, C))
        kept, counts, start = [], [], 0
        for block, last in zip(blocks, is_last, strict=True):
            stop = start + block.shape[0]
            if wanted is Wanted.ALL:
                first = start
            else:
                first = stop - 1 if wanted is Wanted.LAST and last else stop
            kept.append(hidden_RCD[first:stop, columns])
            counts.append(stop - first)
            start = stop
        logits_RCV = self.model.head(torch.cat(kept)).float().cpu().numpy()
        streams.commit()
        return np.split(logits_RCV, np.cumsum(counts)[:-1])

    def truncate(self, state: TorchState, num_rows: int) -> None:
        """Cut back to `num_rows`: restore the conv snapshot before it and read the rest again."""
        if not 0 <= num_rows <= state.num_rows:
            raise StateError("truncate", expected=f"0 to {state.num_rows} rows", got=num_rows)
        if num_rows == state.num_rows:
            return
        snapshot = max(row for row in state.snapshots if row <= num_rows)
        rest = state.tokens[snapshot:num_rows].copy()
        state.num_rows = snapshot
        state.conv = state.snapshots[snapshot]
        state.snapshots = {row: past for row, past in state.snapshots.items() if row <= snapshot}
        if len(rest):
            self.forward([state], [rest], wanted=Wanted.NONE)

    def save_state(self, state: TorchState, path: Path) -> None:
        """Write a state to a safetensors file, whole or not at all."""
        save_state(state, path, self.model)

    def load_state(self, path: Path) -> TorchState:
        """Read what `save_state` wrote; StateError if it is broken or of another model."""
        return load_state(path, self.model, self.open)
