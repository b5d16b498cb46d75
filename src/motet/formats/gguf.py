"""A model in one GGUF file: weights, tokenizer, layout and recommended sampling.

The conventions are llama.cpp's, so that every file it opens as `lfm2moe`, `lfm2`, `qwen3` or
`llama` opens here as a one-channel model. What a multi-stream model has beyond them is

    motet.layout            the text of layout.json
    motet.sampling          recommended sampling, a JSON object of numbers
    motet.end_token_ids     all tokens that end a reply of a one-channel model
    channel_embd.weight     [C, D], F32, if the layout has a channel embedding

and `tokenizer.huggingface.json` (a key of the GGUF specification) holds the whole tokenizer.
"""

from __future__ import annotations

import json
import math
import mmap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from motet.errors import CheckpointError
from motet.formats.header import TensorInfo, Value, parse_header
from motet.formats.hyperparameters import Hyperparameters, check_shapes
from motet.formats.metadata import read_hyperparameters
from motet.formats.names import CHANNEL_EMBEDDING
from motet.formats.vocabulary import build_tokenizer, end_token, opening_tokens
from motet.streams.layout import Layout, single_channel

LAYOUT_KEY = "motet.layout"
SAMPLING_KEY = "motet.sampling"
_SAMPLING_KEYS = {  # of the GGUF specification -> our names
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repetition_penalty",
}


@dataclass(frozen=True)
class GGUFModel:
    """What a GGUF file says before any weight is read. Offsets in `tensors` are checked."""

    path: Path
    architecture: str
    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """The numbers of the model, and the promise that it has exactly their tensors."""
        shapes = {name: info.shape for name, info in self.tensors.items()}
        numbers = read_hyperparameters(self.metadata, shapes, str(self.path))
        check_shapes(numbers, shapes, self.layout.num_channels, str(self.path))
        return numbers

    @cached_property
    def layout(self) -> Layout:
        """The layout of the file, or that of a one-channel model if it has none."""
        layout = self._stated_layout()
        if layout.channel_embedding != (CHANNEL_EMBEDDING in self.tensors):
            raise CheckpointError(
                f"{self.path}: {CHANNEL_EMBEDDING}", expected="to be there if the layout says so",
                got="layout and tensors that differ",
            )  # fmt: skip
        return layout

    def _stated_layout(self) -> Layout:
        if LAYOUT_KEY not in self.metadata:
            return single_channel(end_token(self.metadata), opening_tokens(self.metadata))
        where = f"{self.path}: {LAYOUT_KEY}"
        return Layout.from_json(_json(self.metadata[LAYOUT_KEY], where), where=where)

    @cached_property
    def sampling(self) -> dict[str, float]:
        """Recommended sampling knobs by name; empty if the file recommends none."""
        if SAMPLING_KEY not in self.metadata:
            known = {ours: self.metadata.get(key) for key, ours in _SAMPLING_KEYS.items()}
            return {k: v for k, v in known.items() if isinstance(v, int | float)}
        data = _json(self.metadata[SAMPLING_KEY], where := f"{self.path}: {SAMPLING_KEY}")
        if not isinstance(data, dict) or not all(map(_is_number, data.values())):
            raise CheckpointError(where, expected="a JSON object of numbers", got=repr(data)[:80])
        return data

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the metadata describes; TokenizerError if it can't be built."""
        return build_tokenizer(self.metadata, str(self.path))


def read_gguf(path: str | Path) -> GGUFModel:
    """Read the header of a GGUF file strictly; CheckpointError in one line if it is unfit."""
    path = Path(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = parse_header(data, str(path))
    except FileNotFoundError:
        raise CheckpointError("model file", expected=str(path), got="no such file") from None
    except ValueError:
        raise CheckpointError(str(path), expected="a GGUF file", got="an empty file") from None
    except OSError as error:
        raise CheckpointError(str(path), expected="a GGUF file", got=error.strerror) from None
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        raise CheckpointError(
            f"{path}: general.architecture", expected="a name", got=repr(architecture)[:80]
        )
    return GGUFModel(path, architecture, header.metadata, header.tensors)


def _json(text: Value, where: str) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(where, expected="JSON", got=error) from None


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
