"""OUTPUT.meta.json: how the results in OUTPUT were made, so that no others are mixed in.

The model is known by a fingerprint of its files: everything small whole; of weights their size,
their first and their last bytes, which any training changes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from motet.errors import InputError

_WEIGHT_SUFFIXES = (".safetensors", ".gguf")
_MODEL_SUFFIXES = (".json", *_WEIGHT_SUFFIXES)
_EDGE_BYTES = 2**20


def meta_file(output_file: Path) -> Path:
    """Where the provenance of `output_file` stands."""
    return output_file.with_name(output_file.name + ".meta.json")


def model_fingerprint(model: Path) -> str:
    """A digest that changes when a model's configuration, tokenizer or weights do.

    model: a directory, or one file.
    """
    digest = hashlib.sha256()
    files = [model]
    if model.is_dir():
        files = sorted(path for path in model.iterdir() if path.suffix in _MODEL_SUFFIXES)
    for path in files:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            holds_weights = path == model or path.suffix in _WEIGHT_SUFFIXES
            if holds_weights and path.stat().st_size > 2 * _EDGE_BYTES:
                digest.update(file.read(_EDGE_BYTES))
                file.seek(-_EDGE_BYTES, 2)
            digest.update(file.read())
    return digest.hexdigest()


def check_provenance(output_file: Path, meta: dict[str, Any]) -> None:
    """InputError if `output_file` holds results that were not made as `meta` says."""
    if not output_file.exists() or output_file.stat().st_size == 0:
        return
    path = meta_file(output_file)
    if not path.exists():
        raise InputError(
            str(output_file), expected="results of this command", got=f"a file without {path.name}",
            fix="give another --output",
        )  # fmt: skip
    try:
        earlier = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(str(path), expected="JSON", got=error) from None
    if earlier != json.loads(json.dumps(meta)):
        raise InputError(
            str(output_file), expected="results of the same model and settings",
            got=f"others ({_differences(earlier, meta)}), see {path.name}",
            fix="give another --output",
        )  # fmt: skip


def write_provenance(output_file: Path, meta: dict[str, Any]) -> None:
    """Write OUTPUT.meta.json, whole or not at all."""
    path = meta_file(output_file)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(meta, indent=2) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError("--output", expected="a file that can be written", got=error) from None


def _differences(earlier: object, meta: dict[str, Any], prefix: str = "") -> str:
    if not isinstance(earlier, dict):
        return "not an object"
    names = []
    for key in sorted(earlier.keys() | meta.keys()):
        old, new = earlier.get(key), meta.get(key)
        if isinstance(old, dict) and isinstance(new, dict) and old != new:
            names.append(_differences(old, new, f"{prefix}{key}."))
        elif old != new:
            names.append(prefix + key)
    return ", ".join(names)
