"""States of the torch runtime on disk: one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from motet.errors import StateError
from motet.runtime.torch.state import TorchState
from motet.streams.layout import Layout

STATE_VERSION = "1"


def save_state(state: TorchState, path: Path, layout: Layout) -> None:
    """Write a state to `path`; an interrupted write leaves what was there before."""
    num_cells = state.num_rows * layout.num_channels
    tensors = {"tokens": torch.from_numpy(state.tokens_RC)}
    for layer, buffer in state.kv.items():
        tensors[f"kv.{layer}"] = buffer[:, :, :num_cells].contiguous()
    for row, past in [(-1, state.conv), *state.snapshots.items()]:
        for layer, tensor in past.items():
            tensors[f"conv.{row}.{layer}"] = tensor.clone()
    metadata = {
        "motet_state": STATE_VERSION,
        "num_rows": str(state.num_rows),
        "max_rows": str(state.max_rows),
        "layout": json.dumps(layout.to_json()),
    }
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_state(path: Path, layout: Layout, open_state: Callable[[int], TorchState]) -> TorchState:
    """Read a state; StateError if the file is broken, alien, or of another model."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("motet_state") != STATE_VERSION:
                raise StateError(str(path), expected=f"a saved state, version {STATE_VERSION}")
            if json.loads(metadata["layout"]) != layout.to_json():
                raise StateError(str(path), expected="a state of this model", got="another layout")
            state = open_state(int(metadata["max_rows"]))
            state.num_rows = int(metadata["num_rows"])
            _fill(state, {key: file.get_tensor(key) for key in file.keys()}, path)  # noqa: SIM118
            return state
    except FileNotFoundError:
        raise StateError("saved state", expected=str(path), got="no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise StateError(str(path), expected="a saved state", got=error) from None


def _fill(state: TorchState, tensors: dict[str, torch.Tensor], path: Path) -> None:
    num_cells = state.num_rows * state.tokens.shape[1]
    targets = {"tokens": torch.from_numpy(state.tokens)[: state.num_rows]}
    for layer, buffer in state.kv.items():
        targets[f"kv.{layer}"] = buffer[:, :, :num_cells]
    pasts: dict[int, dict[int, torch.Tensor]] = {}
    for key in tensors:
        if key.startswith("conv."):
            row, layer = map(int, key.split(".")[1:])
            pasts.setdefault(row, {})[layer] = torch.empty_like(state.conv[layer])
            targets[key] = pasts[row][layer]
    for key, target in targets.items():
        got = tensors.pop(key)
        if got.shape != target.shape or got.dtype != target.dtype:
            raise StateError(
                f"{path}: {key}", expected=f"{list(target.shape)} {target.dtype}",
                got=f"{list(got.shape)} {got.dtype}", fix="load it with the model that saved it",
            )  # fmt: skip
        target.copy_(got)
    if tensors or any(past.keys() != state.conv.keys() for past in pasts.values()):
        raise StateError(str(path), expected="the tensors of this model", got=sorted(tensors))
    state.conv = pasts.pop(-1, state.conv)
    state.snapshots = pasts or {0: state.conv}
    state.tokens = np.ascontiguousarray(state.tokens)
