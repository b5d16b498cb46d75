"""States of models in GGUF's names on disk: one file, written whole or not at all.

    8 bytes   MAGIC          4 bytes   length of the header, little-endian
    header    JSON: rows, precision, layout, digest of the weights, CRC-32 of the rest
    the rest  tokens, cache, ring, snapshots: of what was read, in this order

The header says how long the rest is by what the model is, so nothing in a file is believed that the
model does not confirm.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from motet.errors import StateError
from motet.runtime.native.state import Past, PastT
from motet.runtime.native.weights import Model

MAGIC = b"MOTETST1"
_LENGTH = struct.Struct("<I")
_MAX_HEADER_BYTES = 1 << 20
_KEYS = {"num_rows", "max_rows", "ring_from", "kv_type", "layout", "weights", "crc"}


def save_state(state: Past, path: Path, model: Model, digest: str) -> None:
    """Write a state to `path`; an interrupted write leaves what was there before."""
    parts = [np.ascontiguousarray(part) for part in state.parts()]
    crc = 0
    for part in parts:
        crc = zlib.crc32(part.data, crc)
    header = {
        "num_rows": state.num_rows,
        "max_rows": state.max_rows,
        "ring_from": state.ring_from,
        "kv_type": state.shape.kv_type.name,
        "layout": model.layout.to_json(),
        "weights": digest,
        "crc": crc,
    }
    text = json.dumps(header).encode()
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(MAGIC + _LENGTH.pack(len(text)) + text)
        for part in parts:
            file.write(part.data)
    partial.replace(path)


def load_state(path: Path, model: Model, digest: str, open_state: Callable[[int], PastT]) -> PastT:
    """Read a state; StateError if the file is broken, alien, or of another model."""
    try:
        with path.open("rb") as file:
            return _read(file, model, digest, open_state)
    except StateError as error:
        raise StateError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise StateError("saved state", expected=str(path), got="no such file") from None
    except OSError as error:
        raise StateError(str(path), expected="a saved state", got=error.strerror) from None


def _read(file: BinaryIO, model: Model, digest: str, open_state: Callable[[int], PastT]) -> PastT:
    header = _header(file)
    if header["layout"] != model.layout.to_json():
        raise StateError("model", expected="the same layout", got="another layout")
    if header["weights"] != digest:
        raise StateError("model", expected="the same weights", got="other weights")
    state = open_state(header["max_rows"])
    if header["kv_type"] != state.shape.kv_type.name:
        raise StateError(
            "precision of the cache", expected=state.shape.kv_type.name.lower(),
            got=str(header["kv_type"]).lower(), fix="open the model with that precision",
        )  # fmt: skip
    if not 0 <= header["ring_from"] <= header["num_rows"] <= state.max_rows:
        raise StateError("rows", expected=f"0 to {state.max_rows}", got=header["num_rows"])
    state.num_rows, state.ring_from = header["num_rows"], header["ring_from"]
    crc, parts = 0, state.parts()
    for part in parts:
        content = file.read(part.nbytes)
        if len(content) != part.nbytes:
            raise StateError("file", expected="a whole saved state", got="a part of one")
        crc = zlib.crc32(content, crc)
        part[...] = np.frombuffer(content, part.dtype).reshape(part.shape)
    if file.read(1) or crc != header["crc"]:
        raise StateError("file", expected="a whole saved state", got="changed bytes")
    state.put(parts)
    return state


def _header(file: BinaryIO) -> dict[str, Any]:
    start = file.read(len(MAGIC) + _LENGTH.size)
    if len(start) < len(MAGIC) + _LENGTH.size or not start.startswith(MAGIC):
        raise StateError("file", expected="a saved state of the native runtime")
    (length,) = _LENGTH.unpack(start[len(MAGIC) :])
    text = file.read(min(length, _MAX_HEADER_BYTES))
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    numbers = ("num_rows", "max_rows", "ring_from", "crc")
    if (
        not isinstance(header, dict)
        or header.keys() != _KEYS
        or not all(type(header[key]) is int for key in numbers)
    ):
        raise StateError("header", expected=", ".join(sorted(_KEYS)), got="something else")
    return header
