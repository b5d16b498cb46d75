"""The KV cache in fewer bits: how far from float32, what it takes, what it can't hold."""

from __future__ import annotations

import numpy as np
import pytest

from motet.errors import SettingError
from motet.formats.directory import read_directory
from motet.formats.ggml_types import GGMLType
from motet.runtime.native import KVType, NativeRuntime, read_model
from tests.laws import checks
from tests.native.models import native, tiny_native
from tests.tiny import Architecture, Case

CASE = Case(Architecture.LFM2_MOE, 4)


@pytest.fixture(scope="module")
def embedded() -> dict[KVType, NativeRuntime]:
    """motet-tiny, whose heads of 32 fit every precision."""
    model = read_model(read_directory("motet-tiny"), GGMLType.F32)
    return {kind: NativeRuntime(model, kv_type=kind, num_threads=1) for kind in KVType}


def test_less_precise_caches_stay_near(embedded: dict[KVType, NativeRuntime]) -> None:
    """float16 keeps 11 bits of a number, q8_0 8 of the largest of 32.

    The median of five conversations: where a rounding sends a row to another expert, all rows after
    it are far away, however precise the cache.
    """
    exact = embedded[KVType.F32]
    errors: dict[KVType, list[float]] = {kind: [] for kind in KVType}
    for seed in range(5):
        rows = checks.random_rows(exact, 60, seed)
        expected = checks.read_alone(exact, rows)
        for kind, runtime in embedded.items():
            distance = np.abs(checks.read_alone(runtime, rows) - expected).mean()
            errors[kind].append(float(distance / expected.std()))
    median = {kind: np.median(found) for kind, found in errors.items()}
    assert median[KVType.F32] == 0
    assert 0 < 4 * median[KVType.F16] < median[KVType.Q8_0] < 0.1, errors


@pytest.mark.parametrize("kind", list(KVType), ids=lambda kind: kind.name)
def test_decode_is_prefill_to_the_bit(embedded: dict[KVType, NativeRuntime], kind: KVType) -> None:
    """A rounded key is the same key whenever it was rounded."""
    runtime = embedded[kind]
    rows = checks.random_rows(runtime, 12)
    prefilled = checks.read_alone(runtime, rows)
    decoded = checks.decode(runtime, runtime.open(12), rows)
    assert np.array_equal(prefilled, decoded)


def test_bytes_are_said_beforehand(embedded: dict[KVType, NativeRuntime]) -> None:
    sizes = []
    for runtime in embedded.values():
        assert runtime.state_bytes(100) == runtime.open(100).num_bytes
        sizes.append(runtime.state_bytes(100) - runtime.open(100).ring.nbytes)
    f32, f16, q8 = sizes
    assert f16 < f32
    assert q8 < f16


def test_narrow_heads_are_refused_where_they_do_not_fit() -> None:
    with pytest.raises(SettingError, match="q8_0 cache: expected heads of a multiple of 32, got 8"):
        native(CASE, kv_type=KVType.Q8_0)
    assert tiny_native(CASE).state_shape.kv_type is KVType.F32
