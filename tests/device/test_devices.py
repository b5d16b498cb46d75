"""Which device a name means, what it can't do, and how that is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import motet
from motet.cli.main import invoke
from motet.errors import SettingError
from motet.formats.ggml_types import GGMLType
from motet.runtime.device import Device, backends, device_named, devices, registry
from motet.runtime.device.embedding import Embedding
from motet.runtime.native import KVType
from motet.runtime.native.weights import Weight
from tests.device.models import DEVICE, on_device
from tests.native.random_models import as_model, draw, layout_of, numbers_in, numbers_of
from tests.tiny import Architecture, Case

CASE = Case(Architecture.LFM2_MOE, 4)


def test_the_processor_is_always_there() -> None:
    names = [device.name for device in devices()]
    assert "CPU" in names
    assert device_named("cpu").is_cpu
    assert not device_named("cpu").is_gpu
    assert "the processor" in str(device_named("CPU"))


def test_the_first_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"iGPU0": backends.INTEGRATED_GPU, "CUDA0": backends.GPU, "CUDA1": backends.GPU}
    there = [Device(name, "", kind, 0) for name, kind in kinds.items()]
    monkeypatch.setattr(registry, "devices", lambda: (*there, *devices()))
    assert device_named("gpu").name == "CUDA0"
    assert device_named("cuda1").name == "CUDA1"
    with pytest.raises(SettingError, match=r"one of iGPU0, CUDA0, CUDA1, .*CPU, got CUDA2$"):
        device_named("CUDA2")


@pytest.mark.parametrize("arguments", [("--device", "CUDA9"), ("--device", "")], ids=str)
def test_an_unknown_device_is_a_users_mistake(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["run", "motet-tiny", "hi", *arguments]) == 2
    said = capsys.readouterr().err
    assert "device: expected one of " in said
    assert "CPU" in said
    assert said.count("\n") == 1


def test_settings_that_a_device_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="cache: expected f16 or f32 on a device, got q8_0"):
        on_device(CASE, kv_type=KVType.Q8_0)
    monkeypatch.setattr(Device, "is_cpu", False)
    with pytest.raises(SettingError, match=f"threads: expected none on {DEVICE.name}"):
        on_device(CASE, num_threads=2)


def test_an_operation_that_the_device_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    original = backends.dev_supports_op

    def supports(device: int, node: int) -> bool:
        is_missing = backends.op_description(node) == b"MUL_MAT_ID"
        return not is_missing and bool(original(device, node))

    monkeypatch.setattr(backends, "dev_supports_op", supports)
    with pytest.raises(SettingError, match="no MUL_MAT_ID of F32, F32, I32; leave out --device"):
        on_device(CASE)
    on_device(Case(Architecture.QWEN3, 1))


def test_weights_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "free_bytes", lambda self: 1000)
    with pytest.raises(SettingError, match=r"for weights, got 0.0 MB free; leave out --device"):
        on_device(CASE)
    monkeypatch.setattr(Device, "free_bytes", lambda self: None)
    monkeypatch.setattr(backends, "allocate_tensors", lambda context, kind: None)
    with pytest.raises(SettingError, match="for weights, got less"):
        on_device(CASE)


@pytest.mark.parametrize("name", ["F32", "F16", "Q8_0", "Q4_0", "Q6_K", "IQ4_XS"])
def test_embeddings_are_what_the_blocks_say(name: str) -> None:
    from motet.formats.hyperparameters import Architecture as Kind
    from motet.formats.quantize import Quant

    numbers = replace(numbers_of(Kind.LLAMA), num_kv_heads=(2,), num_dense_layers=1)
    model = as_model(numbers, layout_of(1), draw(numbers, 1), Quant(name.lower()))
    weight = next(w for w in model.weights.values() if w.type is GGMLType[name] and w.shape[-1] > 1)
    table = Weight(weight.type, (int(np.prod(weight.shape[:-1])), weight.shape[-1]), weight.data)
    tokens = np.array([3, 0, 3, 7])
    expected = numbers_in(weight).reshape(table.shape)[tokens]
    assert np.allclose(Embedding(table).of(tokens), expected, rtol=0, atol=1e-6)


def test_an_engine_talks_the_same_there() -> None:
    """Over many rows, sampled: the same choices as on the processor by our own kernels."""
    replies = []
    for device in (None, DEVICE.name):
        threads = 1 if device is None or DEVICE.is_cpu else None
        engine = motet.load("motet-tiny", cache="f32", device=device, threads=threads)
        replies.append(engine.ask("What is 47 + 38?", engine.settings(seed=3, max_rows=60)))
    assert replies[0].channels == replies[1].channels


def test_inspect_lists_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["inspect", "motet-tiny"]) == 0
    said = capsys.readouterr().out
    assert "\nDevices\n" in said
    assert "by our own kernels unless --device names a device" in said
    for device in devices():
        assert f"  {device.name}" in said
