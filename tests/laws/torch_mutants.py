"""Ways to break the torch runtime, each of which some law must notice.

A mutant patches the runtime's own functions for the length of one test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from motet.runtime.torch import (
    MultiStreamModel,
    TorchRuntime,
    TorchState,
    shortconv,
    state,
    streams,
    whole,
)
from motet.runtime.torch import runtime as runtime_module
from motet.runtime.torch.conversations import Conversations
from motet.runtime.torch.state import Continuation
from motet.runtime.torch.whole import WholeGrids
from motet.streams.layout import ConvMode

Mutant = Callable[[pytest.MonkeyPatch, TorchRuntime], None]
SeesFn = Callable[[Tensor, Tensor, int], Tensor]  # query cells [T, 1], key cells [1, S], C

# the forward that has committed, one of its states, padded conv inputs by layer, its rows before
AfterCommit = Callable[[Continuation, TorchState, dict[int, Tensor], int], None]


def _mask_of(sees: SeesFn) -> Callable[[int, int, int, torch.device], Tensor]:
    def mask(num_past_rows: int, R: int, C: int, device: torch.device) -> Tensor:
        keys_S = torch.arange((num_past_rows + R) * C, device=device)
        return sees(keys_S[num_past_rows * C :, None], keys_S[None, :], C)

    return mask


def _patch_mask(patch: pytest.MonkeyPatch, sees: SeesFn) -> None:
    for module in (whole, state):
        patch.setattr(module, "block_causal_mask", _mask_of(sees))


def peers_visible(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: k // C <= q // C)


def lower_peers_visible(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: k <= q)


def later_rows_visible(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: (k // C != q // C) | (k == q))


def other_channels_hidden(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: (k <= q) & (k % C == q % C))


def last_row_hidden(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: (k // C < q // C - 1) | (k == q))


def only_near_rows_visible(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _patch_mask(patch, lambda q, k, C: ((k // C < q // C) & (k // C > q // C - 3)) | (k == q))


def training_peers_visible(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    mask = _mask_of(lambda q, k, C: k // C <= q // C)
    patch.setattr(whole, "block_causal_mask", mask)


def _patch_positions(patch: pytest.MonkeyPatch, kind: type, new: Callable[[Any], Tensor]) -> None:
    patch.setattr(kind, "positions_BT", property(new))


def positions_per_cell(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def of_continuation(self: Any) -> Tensor:
        C = self._num_channels
        cells = [
            torch.arange(s.num_rows * C, s.num_rows * C + n)
            for s, n in zip(self._states, self._num_cells, strict=True)
        ]
        return torch.cat(cells)[None]

    _patch_positions(patch, Continuation, of_continuation)


def positions_restart(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def of_continuation(self: Any) -> Tensor:
        rows = [torch.arange(n) // self._num_channels for n in self._num_cells]
        return torch.cat(rows)[None]

    _patch_positions(patch, Continuation, of_continuation)


def positions_of_first_session(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def of_continuation(self: Any) -> Tensor:
        first = self._states[0].num_rows
        rows = [first + torch.arange(n) // self._num_channels for n in self._num_cells]
        return torch.cat(rows)[None]

    _patch_positions(patch, Continuation, of_continuation)


def training_positions_per_cell(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def of_grids(self: Any) -> Tensor:
        B, R, C = self._shape
        return torch.arange(R * C).expand(B, -1)

    _patch_positions(patch, WholeGrids, of_grids)


def channel_embedding_dropped(patch: pytest.MonkeyPatch, runtime: TorchRuntime) -> None:
    patch.setitem(runtime.model._modules, "channel_embedding", None)


def _patch_hidden(
    patch: pytest.MonkeyPatch, before: Callable[[MultiStreamModel, Tensor, streams.Streams], None]
) -> None:
    original = MultiStreamModel.hidden

    def hidden(self: MultiStreamModel, tokens_BT: Tensor, of: streams.Streams) -> Tensor:
        weight = None if self.channel_embedding is None else self.channel_embedding.weight
        kept = None if weight is None else weight.data
        try:
            before(self, tokens_BT, of)
            return original(self, tokens_BT, of)
        finally:
            if weight is not None and kept is not None:
                weight.data = kept

    patch.setattr(MultiStreamModel, "hidden", hidden)


def channel_embedding_twice_in_decode(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def before(model: MultiStreamModel, tokens_BT: Tensor, of: streams.Streams) -> None:
        if isinstance(of, Continuation) and model.channel_embedding is not None:
            model.channel_embedding.weight.data = 2 * model.channel_embedding.weight.data

    _patch_hidden(patch, before)


def channel_embedding_dropped_in_decode(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def before(model: MultiStreamModel, tokens_BT: Tensor, of: streams.Streams) -> None:
        one_row = tokens_BT.shape[1] == model.layout.num_channels
        if one_row and model.channel_embedding is not None:
            model.channel_embedding.weight.data = 0 * model.channel_embedding.weight.data

    _patch_hidden(patch, before)


def _patch_conv(patch: pytest.MonkeyPatch, conv: Callable[..., tuple[Tensor, Tensor]]) -> None:
    for module in (whole, state):
        patch.setattr(module, "short_conv", conv)


def _padded(u_BRCD: Tensor, past_BPCD: Tensor | None, num_past: int) -> Tensor:
    B, _, C, D = u_BRCD.shape
    past = u_BRCD.new_zeros(B, num_past, C, D) if past_BPCD is None else past_BPCD
    return torch.cat([past, u_BRCD], dim=1)


def conv_over_flat_cells(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """What a stock conv does with the flattened grid: peers leak into each other."""

    def conv(
        u_BRCD: Tensor, past_BPCD: Tensor | None, weight_DW: Tensor, _b: object, _m: object
    ) -> tuple[Tensor, Tensor]:
        num_past = weight_DW.shape[1] - 1
        padded = _padded(u_BRCD, past_BPCD, num_past)
        flat = padded.flatten(1, 2)
        first, T = num_past * u_BRCD.shape[2], u_BRCD.shape[1] * u_BRCD.shape[2]
        v = torch.zeros_like(u_BRCD).flatten(1, 2)
        for tap in range(num_past + 1):
            start = first - num_past + tap
            v = v + flat[:, start : start + T] * weight_DW[:, tap]
        return v.view_as(u_BRCD), padded

    _patch_conv(patch, conv)


def conv_past_mixed(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """Earlier rows leak from the neighbouring channel."""
    original = shortconv.short_conv

    def conv(
        u_BRCD: Tensor, past_BPCD: Tensor | None, weight_DW: Tensor, *rest: Any
    ) -> tuple[Tensor, Tensor]:
        v, padded = original(u_BRCD, past_BPCD, weight_DW, *rest)
        neighbours = padded[:, 1 : 1 + u_BRCD.shape[1]].roll(1, dims=2)
        return v + 0.5 * neighbours * weight_DW[:, 1], padded

    _patch_conv(patch, conv)


def conv_taps_reversed(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = shortconv.short_conv

    def conv(u: Tensor, past: Tensor | None, weight: Tensor, *rest: Any) -> tuple[Tensor, Tensor]:
        return original(u, past, weight.flip(1), *rest)

    _patch_conv(patch, conv)


def training_conv_of_other_mode(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = shortconv.short_conv

    def conv(*args: Any) -> tuple[Tensor, Tensor]:
        other = ConvMode.ROW_BOUNDARY if args[-1] is ConvMode.COLUMN else ConvMode.COLUMN
        return original(*args[:-1], other)

    patch.setattr(whole, "short_conv", conv)


def conv_of_first_session(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = Continuation.convolve

    def convolve(self: Any, layer: int, *args: Any) -> Tensor:
        pasts = [s.conv for s in self._states]
        for s in self._states:
            s.conv = pasts[0]
        result = original(self, layer, *args)
        for s, past in zip(self._states, pasts, strict=True):
            s.conv = past
        return result

    patch.setattr(Continuation, "convolve", convolve)


def _patch_commit(
    patch: pytest.MonkeyPatch,
    after: Callable[[Continuation, TorchState, dict[int, Tensor], int], None],
) -> None:
    """`after(continuation, state, padded inputs by layer, rows before)` once it has committed."""
    original = Continuation.commit

    def commit(self: Any) -> None:
        befores = [s.num_rows for s in self._states]
        original(self)
        for s, padded, before in zip(self._states, self._padded, befores, strict=True):
            after(self, s, padded, before)

    patch.setattr(Continuation, "commit", commit)


def _zeros(past: state.ConvPast) -> state.ConvPast:
    return {layer: torch.zeros_like(tensor) for layer, tensor in past.items()}


def conv_not_carried(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def after(_c: Continuation, s: TorchState, _p: dict[int, Tensor], _b: int) -> None:
        s.conv = _zeros(s.conv)

    _patch_commit(patch, after)


def conv_past_off_by_one(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def after(_c: Continuation, s: TorchState, padded: dict[int, Tensor], before: int) -> None:
        rows = s.num_rows - before
        s.conv = {i: padded[i][rows - 1 :][: len(past)].clone() for i, past in s.conv.items()}

    _patch_commit(patch, after)


def snapshots_off_by_one(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def after(_c: Continuation, s: TorchState, padded: dict[int, Tensor], before: int) -> None:
        for row in s.snapshots:
            if row > before:
                cut = row - before - 1
                s.snapshots[row] = {
                    i: padded[i][cut : cut + len(past)].clone() for i, past in s.conv.items()
                }

    _patch_commit(patch, after)


def states_share_kv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original, shared = TorchRuntime.open, {}

    def open_(self: TorchRuntime, max_rows: int) -> TorchState:
        opened = original(self, max_rows)
        opened.kv = shared.setdefault(max_rows, opened.kv)
        return opened

    patch.setattr(TorchRuntime, "open", open_)


def states_share_conv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """The conv past is written in place, into one buffer for all states."""
    shared: dict[int, Tensor] = {}

    def after(_c: Continuation, s: TorchState, _p: dict[int, Tensor], _b: int) -> None:
        for layer, past in s.conv.items():
            s.conv[layer] = shared.setdefault(layer, past.clone()).copy_(past)

    _patch_commit(patch, after)


def inactive_slot_advanced(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """The row counter of every open state moves with each forward."""
    original, opened = TorchRuntime.open, []

    def open_(self: TorchRuntime, max_rows: int) -> TorchState:
        opened.append(original(self, max_rows))
        return opened[-1]

    def after(_c: Any, s: TorchState, _p: dict[int, Tensor], before: int) -> None:
        for other in opened:
            if other not in _c._states and other.num_rows:
                other.num_rows = min(other.num_rows + s.num_rows - before, other.max_rows)

    patch.setattr(TorchRuntime, "open", open_)
    _patch_commit(patch, after)


def _patch_fork(patch: pytest.MonkeyPatch, then: Callable[[TorchState, TorchState], None]) -> None:
    original = TorchState.fork

    def fork(self: TorchState, max_rows: int | None = None) -> TorchState:
        child = original(self, max_rows)
        then(self, child)
        return child

    patch.setattr(TorchState, "fork", fork)


def fork_shares_kv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def then(parent: TorchState, child: TorchState) -> None:
        child.kv = parent.kv

    _patch_fork(patch, then)


def fork_shares_tokens(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def then(parent: TorchState, child: TorchState) -> None:
        child.tokens = parent.tokens

    _patch_fork(patch, then)


def fork_forgets_conv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def then(_p: TorchState, child: TorchState) -> None:
        child.conv = _zeros(child.conv)

    _patch_fork(patch, then)


def fork_drops_last_row(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def then(parent: TorchState, child: TorchState) -> None:
        C = child.tokens.shape[1]
        for buffer in child.kv.values():
            buffer[:, :, (parent.num_rows - 1) * C : parent.num_rows * C] = 0

    _patch_fork(patch, then)


def truncate_keeps_conv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = TorchRuntime.truncate

    def truncate(self: TorchRuntime, s: TorchState, num_rows: int) -> None:
        kept = s.conv
        original(self, s, num_rows)
        s.conv = kept

    patch.setattr(TorchRuntime, "truncate", truncate)


def truncate_to_snapshot_only(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """The conv past of the snapshot, without reading the rows after it again."""

    def truncate(self: TorchRuntime, s: TorchState, num_rows: int) -> None:
        snapshot = max(row for row in s.snapshots if row <= num_rows)
        s.num_rows, s.conv = num_rows, s.snapshots[snapshot]

    patch.setattr(TorchRuntime, "truncate", truncate)


def truncate_one_row_short(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = TorchRuntime.truncate

    def truncate(self: TorchRuntime, s: TorchState, num_rows: int) -> None:
        original(self, s, max(num_rows - 1, 0))

    patch.setattr(TorchRuntime, "truncate", truncate)


def _patch_save(patch: pytest.MonkeyPatch, forget: Callable[[TorchState], None]) -> None:
    original = runtime_module.save_state

    def save(s: TorchState, path: Path, *rest: Any) -> None:
        written = s.fork()
        forget(written)
        original(written, path, *rest)

    patch.setattr(runtime_module, "save_state", save)


def save_forgets_conv(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def forget(s: TorchState) -> None:
        s.conv = _zeros(s.conv)

    _patch_save(patch, forget)


def save_forgets_snapshots(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def forget(s: TorchState) -> None:
        s.snapshots = {row: _zeros(past) for row, past in s.snapshots.items()}

    _patch_save(patch, forget)


def save_forgets_keys(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def forget(s: TorchState) -> None:
        for buffer in s.kv.values():
            buffer[0, :, 0] = 0

    _patch_save(patch, forget)


def save_drops_last_row(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    def forget(s: TorchState) -> None:
        s.num_rows -= 1

    _patch_save(patch, forget)


def logits_of_first_channel(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """A forward that returns one channel's logits for every channel."""
    original = TorchRuntime.forward

    def forward(self: TorchRuntime, states: Sequence[TorchState], *args: Any, **kw: Any) -> Any:
        return [
            logits[:, :1].repeat(logits.shape[1], 1)
            for logits in original(self, states, *args, **kw)
        ]

    patch.setattr(TorchRuntime, "forward", forward)


def _once_unpacked(patch: pytest.MonkeyPatch, name: str) -> None:
    """One of the operations of `WholeGrids` forgets that a line holds several conversations."""
    original = getattr(WholeGrids, name)

    def over_the_line(self: Any, *args: Any) -> Tensor:
        kept, self._packed = self._packed, None
        try:
            result: Tensor = original(self, *args)
        finally:
            self._packed = kept
        return result

    patch.setattr(WholeGrids, name, over_the_line)


def packed_conv_over_the_line(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _once_unpacked(patch, "convolve")


def packed_attention_over_the_line(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    _once_unpacked(patch, "attend")


def packed_positions_all_first(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    """Positions that merely go on would be no mistake: RoPE sees differences alone."""
    _patch_positions(patch, WholeGrids, lambda self: torch.zeros_like(self._positions_BT))


def packed_rows_come_back_wrong(patch: pytest.MonkeyPatch, _: TorchRuntime) -> None:
    original = Conversations.mix

    def mix(self: Conversations, *args: Any) -> Tensor:
        return original(self, *args).roll(1, dims=1)

    patch.setattr(Conversations, "mix", mix)
