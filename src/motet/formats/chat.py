"""How a one-channel model is talked to: its chat template and the tokens that end a reply.

A directory says it in chat_template.jinja or tokenizer_config.json, config.json and
generation_config.json; a GGUF file in `tokenizer.chat_template` and ids of special tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motet.formats.directory import ModelDirectory
from motet.formats.gguf import GGUFModel
from motet.formats.tokenizer_metadata import CHAT_TEMPLATE, chat_template
from motet.formats.vocabulary import PREFIX, TokenType

_NAMES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_GGUF_NAMES = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding"}
_GGUF_ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")
_ENDS_BY_NAME = frozenset(  # files of the community often name only the end of a text as `eos`
    ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>"]
)


@dataclass(frozen=True)
class ChatFormat:
    """What a model says of chats.

    template: Jinja source, None if it has none. special: texts of special tokens by the names that
    templates use (`bos_token`, ...). end_ids: tokens that end a reply.
    """

    template: str | None = None
    special: Mapping[str, str] = field(default_factory=dict)
    end_ids: frozenset[int] = frozenset()


def read_chat_format(source: ModelDirectory | GGUFModel) -> ChatFormat:
    """The chat format of a model; of one that says nothing, an empty one."""
    return _of_file(source) if isinstance(source, GGUFModel) else _of_directory(source)


def _of_directory(directory: ModelDirectory) -> ChatFormat:
    settings = _json(directory.path / "tokenizer_config.json")
    special = {}
    for name in _NAMES:
        token = settings.get(f"{name}_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            special[f"{name}_token"] = text
    generation = _json(directory.path / "generation_config.json")
    stated = [directory.config.get("eos_token_id"), generation.get("eos_token_id")]
    ends = [i for value in stated for i in (value if isinstance(value, list) else [value])]
    if directory.layout.end is not None:
        ends.append(directory.layout.end.id)
    return ChatFormat(chat_template(directory), special, _ids(ends))


def _of_file(file: GGUFModel) -> ChatFormat:
    metadata = file.metadata
    tokens, types = metadata.get(PREFIX + "tokens"), metadata.get(PREFIX + "token_type")
    template = metadata.get(CHAT_TEMPLATE)
    special: dict[str, str] = {}
    ends = [metadata.get(PREFIX + key) for key in _GGUF_ENDS]
    if isinstance(tokens, list):
        for name, key in _GGUF_NAMES.items():
            token_id = metadata.get(f"{PREFIX}{key}_token_id")
            if type(token_id) is int and 0 <= token_id < len(tokens):
                special[f"{name}_token"] = tokens[token_id]
        kinds = [] if types is None or isinstance(types, str | int | float) else list(types)
        ends += [
            token_id
            for token_id, (token, kind) in enumerate(zip(tokens, kinds, strict=False))
            if kind == TokenType.CONTROL and token in _ENDS_BY_NAME
        ]
    return ChatFormat(template if isinstance(template, str) else None, special, _ids(ends))


def _ids(values: Iterable[Any]) -> frozenset[int]:
    return frozenset(i for i in values if type(i) is int and i >= 0)


def _json(path: Path) -> dict[str, Any]:
    """A JSON object of a file; empty if there is none: nothing in it is needed to run a model."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
