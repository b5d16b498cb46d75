"""What a training begins with: a base model gets channels and tokens, others keep theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer

from motet.errors import CheckpointError, SettingError
from motet.formats.directory import Kind, read_directory
from motet.runtime.torch.checkpoint import load_model
from motet.streams.layout import LAYOUT_FILE
from motet.train.start import open_start, write_start
from tests.train.run import little

V = little.vocab_size()
BASE_LAYOUT = {"silence": "<|quiet|>", "end": "<|end|>"}


def base_model(folder: Path, vocab_rows: int = V) -> Path:
    """A stock one-channel model whose tokenizer lacks `<|quiet|>`."""
    changes: dict[str, Any] = {
        "layout": {
            "channels": [{"name": "Output", "role": "output"}],
            "silence": "", "end": "<|end|>", "channel_embedding": False,
        },
    }  # fmt: skip
    target = little.write_model(folder, folder / "base", **changes)
    (target / LAYOUT_FILE).unlink()
    if vocab_rows != V:
        model = open_start(little.config(folder, **changes)).model
        model.base.resize_token_embeddings(vocab_rows, mean_resizing=False)
        model.base.save_pretrained(target)
    assert read_directory(target).kind is Kind.STOCK
    return target


def from_base(folder: Path, **layout: Any) -> Any:
    return little.config(
        folder, model={"new": None, "start": str(folder / "base")}, layout=BASE_LAYOUT | layout
    )


def test_a_base_model_gets_channels_and_a_token(folder: Path) -> None:
    base = load_model(read_directory(base_model(folder)))
    start = open_start(from_base(folder))
    assert start.layout.names == ("User", "Output", "Think")
    assert start.added_ids == (V,)
    assert start.layout.silence is not None
    assert start.layout.silence.id == V
    assert start.layout.end is not None
    assert start.layout.end.id == 1
    tokenizer = Tokenizer.from_buffer(start.tokenizer)
    assert tokenizer.encode("<|quiet|>").ids == [V]
    embedding = start.model.base.get_input_embeddings().weight
    assert start.model.base.get_output_embeddings().weight is embedding
    old = base.base.get_input_embeddings().weight
    assert torch.equal(embedding[:V], old)
    torch.testing.assert_close(embedding[V], old.mean(0))
    for name, parameter in start.model.base.get_decoder().layers.named_parameters():
        assert torch.equal(parameter, base.base.get_decoder().layers.get_parameter(name))
    assert start.model.channel_embedding is not None
    assert start.model.channel_embedding.weight.std() > 0


def test_spare_rows_are_used_before_new_ones_are_made(folder: Path) -> None:
    base_model(folder, vocab_rows=320)
    embedding = open_start(from_base(folder)).model.base.get_input_embeddings().weight
    assert len(embedding) == 320
    torch.testing.assert_close(embedding[V], embedding[:V].mean(0))


def test_channels_may_begin_alike(folder: Path) -> None:
    base_model(folder)
    model = open_start(from_base(folder, channel_embedding_std=0.0)).model
    assert model.channel_embedding is not None
    assert not model.channel_embedding.weight.any()


def test_the_same_seed_begins_the_same(folder: Path) -> None:
    base_model(folder)
    states = [open_start(c).model.state_dict() for c in (from_base(folder), from_base(folder))]
    assert all(
        torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True)
    )
    first, other = (open_start(little.config(folder, seed=s)).model.state_dict() for s in (1, 2))
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_model_with_a_layout_keeps_it(folder: Path) -> None:
    target = little.write_model(folder, folder / "own")
    own = {"model": {"new": None, "start": str(target)}}
    with pytest.raises(SettingError, match=r"for .*own has one"):
        open_start(little.config(folder, **own))
    start = open_start(little.config(folder, **own, layout=None))
    assert start.layout == little.layout()
    assert start.added_ids == ()
    stored = load_model(read_directory(target)).state_dict()
    assert all(torch.equal(stored[n], t) for n, t in start.model.state_dict().items())


def test_a_tokenizer_that_is_not_the_models_is_told(folder: Path) -> None:
    base_model(folder, vocab_rows=200)
    with pytest.raises(CheckpointError, match=f"at least {V} rows, got 200"):
        open_start(from_base(folder))


@pytest.mark.parametrize("kind", ["new", "base"])
def test_prepared_files_are_those_that_training_uses(folder: Path, kind: str) -> None:
    base_model(folder)
    config = little.config(folder) if kind == "new" else from_base(folder)
    write_start(config, folder / "prepared")
    start = open_start(config)
    assert (folder / "prepared/tokenizer.json").read_bytes() == start.tokenizer
    directory = read_directory(folder / "prepared")
    assert directory.layout == start.layout
    assert directory.config["hidden_size"] == 16
    if kind == "new":
        assert json.loads((folder / "prepared/config.json").read_bytes())["vocab_size"] == V


@pytest.mark.parametrize("precision", ["bfloat16", "mixed_bfloat16"])
def test_precisions(folder: Path, precision: str) -> None:
    model = open_start(little.config(folder, model={"precision": precision})).model
    expected = torch.bfloat16 if precision == "bfloat16" else torch.float32
    assert model.base.dtype == expected
