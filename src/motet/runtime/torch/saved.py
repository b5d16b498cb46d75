"""States of the torch runtime on disk: one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from motet.errors import StateError
from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.state import SNAPSHOT_ROWS, TorchState

STATE_VERSION = "1"


def save_state(state: TorchState, path: Path, model: MultiStreamModel) -> None:
    """Write a state to `path`; an interrupted write leaves what was there before."""
    num_cells = state.num_rows * model.layout.num_channels
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
        "layout": json.dumps(model.layout.to_json()),
        "weights": _fingerprint(model),
    }
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_state(
    path: Path, model: MultiStreamModel, open_state: Callable[[int], TorchState]
) -> TorchState:
    """Read a state; StateError if the file is broken, alien, or of another model."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("motet_state") != STATE_VERSION:
                raise StateError("file", expected=f"a saved state, version {STATE_VERSION}")
            if json.loads(metadata["layout"]) != model.layout.to_json():
                raise StateError("model", expected="the same layout", got="another layout")
            if metadata["weights"] != _fingerprint(model):
                raise StateError("model", expected="the same weights", got="other weights")
            state = open_state(int(metadata["max_rows"]))
            state.num_rows = int(metadata["num_rows"])
            if not 0 <= state.num_rows <= state.max_rows:
                raise StateError("rows", expected=f"0 to {state.max_rows}", got=state.num_rows)
            _fill(state, {key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
            return state
    except StateError as error:
        raise StateError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise StateError("saved state", expected=str(path), got="no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise StateError(str(path), expected="a saved state", got=error) from None


def _fill(state: TorchState, tensors: dict[str, torch.Tensor]) -> None:
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
                key, expected=f"{list(target.shape)} {target.dtype}",
                got=f"{list(got.shape)} {got.dtype}", fix="load it with the model that saved it",
            )  # fmt: skip
        target.copy_(got)
    whole = all(past.keys() == state.conv.keys() for past in pasts.values())
    rows = {-1, *range(0, state.num_rows + 1, SNAPSHOT_ROWS)} if state.conv else set()
    if tensors or not whole or pasts.keys() != rows:
        raise StateError("tensors", expected="those of this model", got="fewer or others")
    if pasts:
        state.conv = pasts.pop(-1)
        state.snapshots = pasts


def _fingerprint(model: MultiStreamModel) -> str:
    """A hash of some numbers of every tensor: other weights have another one."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        some = tensor.flatten()[:: 1 + tensor.numel() // 64].float().cpu().numpy()
        digest.update(f"{name} {list(tensor.shape)}".encode() + some.tobytes())
    return digest.hexdigest()
