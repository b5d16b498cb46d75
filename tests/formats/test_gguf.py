"""What a file says about its model, and that nothing it says can do more than be refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.errors import CheckpointError, LayoutError, MotetError
from motet.formats.convert import convert
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import CHANNEL_EMBEDDING, LAYOUT_KEY, SAMPLING_KEY, GGUFModel, read_gguf
from motet.formats.header import Value
from motet.formats.quantize import Quant
from motet.formats.writer import NewTensor, write_gguf
from motet.streams import Layout
from motet.streams.layout import single_channel
from tests.formats.vocabularies import byte_level, sentence_piece, write_model


@pytest.fixture(scope="module")
def own(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> GGUFModel:
    path = tmp_path_factory.mktemp("gguf") / "own.gguf"
    convert(folder / "own", path, Quant.Q8_0)
    return read_gguf(path)


def changed(model: GGUFModel, **metadata: Value | None) -> GGUFModel:
    """The same model with other metadata; `None` removes a key."""
    values = {**model.metadata, **{k: v for k, v in metadata.items() if v is not None}}
    values = {k: v for k, v in values.items() if metadata.get(k, v) is not None}
    return GGUFModel(model.path, model.architecture, values, model.tensors)


def test_a_file_without_layout_has_one_channel(own: GGUFModel, tmp_path: Path) -> None:
    model = read_gguf(write_model(tmp_path / "model.gguf", byte_level("llama-bpe")))
    end = model.layout.end
    assert end is not None
    assert model.layout == single_channel(end, (0,))
    assert model.sampling == {}


def test_layout_and_channel_embedding_belong_together(own: GGUFModel) -> None:
    assert own.layout.num_channels == 3
    tensors = {k: v for k, v in own.tensors.items() if k != CHANNEL_EMBEDDING}
    with pytest.raises(CheckpointError, match="channel_embd"):
        _ = GGUFModel(own.path, own.architecture, own.metadata, tensors).layout
    data = own.layout.to_json() | {"channel_embedding": False}
    with pytest.raises(CheckpointError, match="channel_embd"):
        _ = changed(own, **{LAYOUT_KEY: json.dumps(data)}).layout
    two = own.layout.to_json()
    two["channels"].pop()
    with pytest.raises(CheckpointError, match="shape"):
        _ = changed(own, **{LAYOUT_KEY: json.dumps(two)}).hyperparameters
    with pytest.raises(CheckpointError, match="channel_embd"):  # of nobody's
        _ = changed(own, **{LAYOUT_KEY: None}).layout


@pytest.mark.parametrize("text", ["", "{", "[" * 20000, "null", "{}", '{"version": 1}', 7, True])
def test_refuses_a_layout(own: GGUFModel, text: Value) -> None:
    with pytest.raises((CheckpointError, LayoutError), match=r"own\.gguf: motet\.layout"):
        _ = changed(own, **{LAYOUT_KEY: text}).layout


@pytest.mark.parametrize(
    "text", ["", "[]", '{"top_k": "5"}', '{"top_k": NaN}', '{"top_k": true}', "3", 3, "[" * 20000]
)
def test_refuses_sampling(own: GGUFModel, text: Value) -> None:
    with pytest.raises(CheckpointError, match=r"own\.gguf: motet\.sampling"):
        _ = changed(own, **{SAMPLING_KEY: text}).sampling


def test_sampling(own: GGUFModel) -> None:
    text = '{"temperature": 0.2, "top_k": 80}'
    theirs: dict[str, Value] = {"general.sampling.temp": 0.5, "general.sampling.top_p": 0.75}
    assert changed(own, **{SAMPLING_KEY: text}).sampling == {"temperature": 0.2, "top_k": 80}
    model = changed(own, **{SAMPLING_KEY: None}, **theirs)
    assert model.sampling == {"temperature": 0.5, "top_p": 0.75}
    assert changed(model, **{"general.sampling.temp": "warm"}).sampling == {"top_p": 0.75}


def understand(path: Path) -> None:
    """Ask all that a reader asks before it reads weights; what it is told is an error of ours."""
    with suppress(MotetError):
        model = read_gguf(path)
        for name in ("layout", "hyperparameters", "sampling"):
            with suppress(MotetError):
                getattr(model, name)
        model.tokenizer()


FUZZED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZED
@given(data=st.data())
def test_any_damage_is_an_error_of_ours(own: GGUFModel, tmp_path: Path, data: Any) -> None:
    damaged = bytearray(own.path.read_bytes())
    end = min(info.offset for info in own.tensors.values())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, end - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    understand(path)


ODD_VALUES = st.one_of(
    st.sampled_from([0, 1, 2**32 - 1, 5, True, "", "none", -0.0, float("nan"), float("inf")]),
    st.lists(st.text(max_size=4), max_size=4),
    st.lists(st.integers(-3, 400), max_size=4),
)


@FUZZED
@given(data=st.data(), whole=st.booleans())
def test_nonsense_metadata_is_an_error_of_ours(
    own: GGUFModel, tmp_path: Path, data: Any, *, whole: bool
) -> None:
    """Keys of the model, of the tokenizer and of the layout with values of any kind."""
    if whole:
        metadata = dict(own.metadata)
    else:
        vocabulary = data.draw(st.sampled_from([byte_level("llama-bpe"), sentence_piece()]))
        metadata = dict(read_gguf(write_model(tmp_path / "plain.gguf", vocabulary)).metadata)
    for key in data.draw(st.lists(st.sampled_from(sorted(metadata)), min_size=1, max_size=3)):
        value = data.draw(ODD_VALUES)
        metadata[key] = as_array(value) if isinstance(value, list) else value
    path = tmp_path / "nonsense.gguf"
    with path.open("wb") as file:
        tensors = [] if whole else list(copied(tmp_path / "plain.gguf"))
        write_gguf(file, metadata, tensors)
    understand(path)


def as_array(values: list[Any]) -> Value:
    return values if all(isinstance(v, str) for v in values) else np.array(values, np.int32)


def copied(path: Path) -> list[NewTensor]:
    return [
        NewTensor(i.name, GGMLType(i.type), i.shape, lambda i=i: [np.zeros(i.shape, np.float32)])
        for i in read_gguf(path).tensors.values()
    ]


def test_a_layout_survives(own: GGUFModel, folder: Path) -> None:
    assert own.layout == Layout.load(folder / "own")
