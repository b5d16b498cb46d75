"""What tells one model from another: saved states and caches are bound to it."""

from __future__ import annotations

import hashlib

import numpy as np

from motet.runtime.native.weights import Model

_WHOLE_BYTES, _SAMPLES, _SAMPLE_BYTES = 1 << 16, 16, 64


def digest_of(model: Model) -> str:
    """A hash of the model's numbers and of some bytes of every tensor, all of small ones."""
    digest = hashlib.sha256(repr(model.hyperparameters).encode())
    for name, weight in sorted(model.weights.items()):
        digest.update(f"{name} {weight.type.name} {weight.shape}".encode())
        data = weight.data
        if len(data) > _WHOLE_BYTES:
            places = np.linspace(0, len(data) - _SAMPLE_BYTES, _SAMPLES, dtype=np.int64)
            data = np.concatenate([data[place : place + _SAMPLE_BYTES] for place in places])
            weight.give_back()  # where files lie in large pages, a sample maps two megabytes
        digest.update(data.tobytes())
    return digest.hexdigest()
