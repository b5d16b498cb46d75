"""How a one-channel model is talked to: its chat template and the tokens that end a reply.

A directory says it in chat_template.jinja or tokenizer_config.json; a GGUF file in
`tokenizer.chat_template`. What ends a reply: see `ends`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from motet.formats.directory import ModelDirectory
from motet.formats.ends import ends_of_directory, ends_of_file, read_json
from motet.formats.gguf import GGUFModel
from motet.formats.tokenizer_metadata import CHAT_TEMPLATE, chat_template
from motet.formats.vocabulary import PREFIX

_NAMES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_GGUF_NAMES = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding"}


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
    settings = read_json(directory.path / "tokenizer_config.json")
    special = {}
    for name in _NAMES:
        token = settings.get(f"{name}_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            special[f"{name}_token"] = text
    ends = frozenset(ends_of_directory(directory))
    return ChatFormat(chat_template(directory), special, ends)


def _of_file(file: GGUFModel) -> ChatFormat:
    metadata = file.metadata
    tokens, template = metadata.get(PREFIX + "tokens"), metadata.get(CHAT_TEMPLATE)
    special: dict[str, str] = {}
    if isinstance(tokens, list):
        for name, key in _GGUF_NAMES.items():
            token_id = metadata.get(f"{PREFIX}{key}_token_id")
            if type(token_id) is int and 0 <= token_id < len(tokens):
                special[f"{name}_token"] = tokens[token_id]
    ends = frozenset(ends_of_file(metadata))
    return ChatFormat(template if isinstance(template, str) else None, special, ends)
