"""From a configuration to the model that a training begins with.

    own, published   the model with the layout that it has; it may grow
    base model       its weights; channel embedding and rows for added tokens are new
    new              random weights of the given sizes

New rows of the token embedding (and of a head of its own) begin as the mean of the others, so that
a new token is at first as likely as any (Hewitt 2021, nlp.stanford.edu/~johnhew/vocab-expansion).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from motet.errors import CheckpointError, SettingError
from motet.formats.directory import Kind, ModelDirectory, read_directory
from motet.runtime.torch.checkpoint import load_base_for, load_model
from motet.runtime.torch.multistream import MultiStreamModel
from motet.streams.codec import TOKENIZER_FILE, StreamCodec
from motet.streams.layout import Layout
from motet.train.config.model import Precision
from motet.train.config.root import TrainConfig
from motet.train.start.grow import grown
from motet.train.start.new import new_model
from motet.train.start.vocabulary import Vocabulary

__all__ = ["Start", "checkpoint_activations", "open_start", "to_dtype", "write_start"]

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class Start:
    """A model ready to train, and the files that belong beside its weights.

    added_ids: tokens whose embeddings are new.
    """

    model: MultiStreamModel
    tokenizer: bytes
    added_ids: tuple[int, ...]
    directory: ModelDirectory | None

    @property
    def layout(self) -> Layout:
        """The layout of the model."""
        return self.model.layout

    @property
    def codec(self) -> StreamCodec:
        """Text to tokens and back for the model."""
        return StreamCodec(Tokenizer.from_buffer(self.tokenizer), self.layout)


def open_start(config: TrainConfig) -> Start:
    """The model of `config`; new weights are a function of its seed. Raises a MotetError."""
    torch.manual_seed(config.seed)
    vocabulary, directory = _vocabulary(config)
    model = _weights(config, vocabulary, directory)
    if config.model.grow is not None:
        model = grown(model, config.model.grow)
    if config.model.precision is Precision.BFLOAT16:
        to_dtype(model, torch.bfloat16)
    if config.model.gradient_checkpointing:
        checkpoint_activations(model.base)
    return Start(model, vocabulary.content, vocabulary.added_ids, directory)


def to_dtype(model: MultiStreamModel, dtype: torch.dtype) -> None:
    """Convert the parameters in place, not the buffers: the experts' biases take small steps."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def write_start(config: TrainConfig, folder: Path) -> None:
    """Write the tokenizer, layout and config.json of the model: enough to tokenize data for it."""
    vocabulary, directory = _vocabulary(config)
    folder.mkdir(parents=True, exist_ok=True)
    if directory is None:
        with torch.device("meta"):
            values = _weights(config, vocabulary, directory).config.to_dict()
    else:
        values = directory.config
    (folder / CONFIG_FILE).write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    (folder / TOKENIZER_FILE).write_bytes(vocabulary.content)
    vocabulary.layout.save(folder)


def _vocabulary(config: TrainConfig) -> tuple[Vocabulary, ModelDirectory | None]:
    if config.model.new is not None:
        assert config.layout is not None  # the configuration sees to it
        return Vocabulary.of(Path(config.model.new.tokenizer), config.layout), None
    assert config.model.start is not None
    directory = read_directory(config.model.start)
    file = directory.path / TOKENIZER_FILE
    if config.layout is None:
        return Vocabulary.as_it_is(file, directory.layout), directory
    if directory.kind is not Kind.STOCK:
        raise SettingError(
            "layout", expected=f"none, for {directory.path} has one",
            got=", ".join(channel.name for channel in config.layout.channels),
            fix="leave the section out, or start from a base model",
        )  # fmt: skip
    return Vocabulary.of(file, config.layout), directory


def _weights(
    config: TrainConfig, vocabulary: Vocabulary, directory: ModelDirectory | None
) -> MultiStreamModel:
    if directory is None:
        assert config.model.new is not None
        model = new_model(config.model.new, vocabulary)
    elif config.layout is None:
        return load_model(directory)
    else:
        model = load_base_for(directory, vocabulary.layout)
        _make_room(model.base, vocabulary, directory)
    assert config.layout is not None
    if vocabulary.layout.end is not None:
        model.config.eos_token_id = vocabulary.layout.end.id
    if model.channel_embedding is not None:
        nn.init.normal_(model.channel_embedding.weight, 0.0, config.layout.channel_embedding_std)
    return model


@torch.no_grad()
def _make_room(base: Any, vocabulary: Vocabulary, directory: ModelDirectory) -> None:
    """Rows of the embedding and the head for the added tokens, as the mean of the others."""
    num_known = vocabulary.size - len(vocabulary.added_ids)
    num_rows = len(base.get_input_embeddings().weight)
    if num_rows < num_known:
        raise CheckpointError(
            f"{directory.path}: token embedding", expected=f"at least {num_known} rows",
            got=num_rows, fix="use the tokenizer that belongs to the model",
        )  # fmt: skip
    if num_rows < vocabulary.size:
        base.resize_token_embeddings(vocabulary.size, mean_resizing=False)
    tables = {id(m.weight): m.weight for m in _tables(base)}
    for weight_VD in tables.values():
        mean_D = weight_VD[:num_known].float().mean(0)
        for token_id in vocabulary.added_ids:
            weight_VD[token_id] = mean_D.to(weight_VD.dtype)


def _tables(base: Any) -> tuple[nn.Embedding, nn.Linear]:
    return base.get_input_embeddings(), base.get_output_embeddings()


def checkpoint_activations(base: Any) -> None:
    """Compute activations of a layer again in the backward pass instead of keeping them."""
    kwargs = {"use_reentrant": False}
    if hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(kwargs)
    else:  # transformers before it was renamed
        base.gradient_checkpointing_enable(kwargs)
