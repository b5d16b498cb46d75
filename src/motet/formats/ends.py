"""Which tokens end a reply of a one-channel model, as its directory or file states them.

A directory says it in config.json and generation_config.json, one token or several. GGUF files
have keys for three of them (`eos`, `eot`, `eom`), which llama.cpp honours; a file that Motet writes
has all of them in `motet.end_token_ids` too, so that it stops exactly where its directory does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motet.formats.directory import ModelDirectory
from motet.formats.header import Value
from motet.formats.vocabulary import PREFIX, TokenType

ENDS_KEY = "motet.end_token_ids"
_END, _FURTHER = "eos_token_id", ("eot_token_id", "eom_token_id")
_BY_NAME = frozenset(  # files of the community often name only the end of a text as `eos`
    ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>"]
)


def ends_of_directory(directory: ModelDirectory) -> tuple[int, ...]:
    """The end tokens of a directory, the layout's first."""
    generation = read_json(directory.path / "generation_config.json")
    ends: list[Any] = [] if directory.layout.end is None else [directory.layout.end.id]
    for stated in (directory.config.get(_END), generation.get(_END)):
        ends += stated if isinstance(stated, list) else [stated]
    return _ids(ends)


def describe_ends(directory: ModelDirectory, vocab_size: int) -> dict[str, Value]:
    """Metadata of a one-channel model's end tokens besides `eos`."""
    end = directory.layout.end
    ends = [i for i in ends_of_directory(directory) if i < vocab_size]
    if directory.layout.num_channels > 1 or not ends:
        return {}
    others = [i for i in ends if end is None or i != end.id]
    keys = (PREFIX + key for key in _FURTHER)
    named: dict[str, Value] = dict(zip(keys, others, strict=False))
    return named | {ENDS_KEY: np.array(ends, "<i4")}


def ends_of_file(metadata: Mapping[str, Value]) -> tuple[int, ...]:
    """The end tokens of a GGUF file, `eos` first: as Motet wrote them, else also by their names."""
    ends: list[Any] = [metadata.get(PREFIX + key) for key in (_END, *_FURTHER)]
    whole = metadata.get(ENDS_KEY)
    if isinstance(whole, np.ndarray):
        return _ids([*ends, *whole.tolist()])
    tokens, types = metadata.get(PREFIX + "tokens"), metadata.get(PREFIX + "token_type")
    if isinstance(tokens, list) and isinstance(types, np.ndarray):
        kinds = zip(tokens, types.tolist(), strict=False)
        ends += [
            token_id
            for token_id, (token, kind) in enumerate(kinds)
            if kind == TokenType.CONTROL and token in _BY_NAME
        ]
    return _ids(ends)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a file; empty if there is none: nothing in it is needed to run a model."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _ids(values: Iterable[Any]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(i for i in values if type(i) is int and i >= 0))
