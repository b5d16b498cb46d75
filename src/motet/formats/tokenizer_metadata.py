"""The tokenizer of a model directory as the metadata of a GGUF file.

The whole tokenizer.json goes in, for Motet; and beside it the lists that llama.cpp reads.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from motet.errors import TokenizerError
from motet.formats.directory import ModelDirectory
from motet.formats.ends import describe_ends
from motet.formats.header import Value
from motet.formats.pretokenizers import name_of
from motet.formats.vocabulary import HUGGINGFACE_KEY, PREFIX, TokenType
from motet.streams.codec import TOKENIZER_FILE, read_tokenizer

CHAT_TEMPLATE = "tokenizer.chat_template"
TEMPLATE_FILE = "chat_template.jinja"
_MODEL = "gpt2"


def describe_tokenizer(directory: ModelDirectory, vocab_size: int) -> dict[str, Value]:
    """Metadata of the directory's tokenizer. vocab_size: V, rows of the token embedding.

    Raises TokenizerError if it is not a byte-level BPE or has more tokens than V. Ids that the
    tokenizer leaves out become tokens that no text can become.
    """
    path = directory.path / TOKENIZER_FILE
    tokenizer = read_tokenizer(path)
    settings: dict[str, Any] = json.loads(tokenizer.to_str())
    model, decoder = settings["model"], settings.get("decoder") or {}
    if model.get("type") != "BPE" or decoder.get("type") != "ByteLevel":
        raise TokenizerError(
            str(path), expected="a byte-level BPE",
            got=f"model {model.get('type')}, decoder {decoder.get('type')}",
        )  # fmt: skip
    ids = tokenizer.get_vocab(with_added_tokens=True)
    if ids and max(ids.values()) >= vocab_size:
        raise TokenizerError(
            str(path), expected=f"ids below {vocab_size}, the rows of the token embedding",
            got=max(ids.values()),
        )  # fmt: skip
    tokens = [f"[PAD{i}]" for i in range(vocab_size)]
    types = np.full(vocab_size, TokenType.UNUSED, "<i4")
    for token, i in ids.items():
        tokens[i], types[i] = token, TokenType.NORMAL
    for i, added in tokenizer.get_added_tokens_decoder().items():
        types[i] = TokenType.CONTROL if added.special else TokenType.USER_DEFINED
    hint = "lfm2" if str(directory.config.get("model_type")).startswith("lfm2") else "llama-bpe"
    whole_words = bool(model.get("ignore_merges"))
    metadata: dict[str, Value] = {
        PREFIX + "model": _MODEL,
        PREFIX + "pre": name_of(
            settings.get("pre_tokenizer") or {}, whole_words=whole_words, hint=hint
        ),
        PREFIX + "tokens": tokens,
        PREFIX + "token_type": types,
        PREFIX + "merges": [m if isinstance(m, str) else " ".join(m) for m in model["merges"]],
        **_special(directory, tokenizer.encode("", add_special_tokens=True).ids, vocab_size),
        **describe_ends(directory, vocab_size),
        HUGGINGFACE_KEY: path.read_text("utf-8"),
    }
    if template := chat_template(directory):
        metadata[CHAT_TEMPLATE] = template
    return metadata


def _special(directory: ModelDirectory, opening: list[int], vocab_size: int) -> dict[str, Value]:
    """Ids of the tokens that begin, end and pad a text, and whether one is put before it."""
    config, end = directory.config, directory.layout.end
    if len(opening) > 1:
        raise TokenizerError(
            str(directory.path / TOKENIZER_FILE), expected="at most one token before a text",
            got=opening,
        )  # fmt: skip
    eos = config.get("eos_token_id")
    ids = {
        "bos_token_id": opening[0] if opening else config.get("bos_token_id"),
        "eos_token_id": end.id if end else eos[0] if isinstance(eos, list) and eos else eos,
        "padding_token_id": config.get("pad_token_id"),
    }
    values: dict[str, Value] = {PREFIX + "add_bos_token": bool(opening)}
    for key, token_id in ids.items():
        if type(token_id) is int and 0 <= token_id < vocab_size:
            values[PREFIX + key] = token_id
    return values


def chat_template(directory: ModelDirectory) -> str | None:
    """The chat template of a model directory, if it has one."""
    if (file := directory.path / TEMPLATE_FILE).is_file():
        return file.read_text("utf-8")
    try:
        data = json.loads((directory.path / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    template = data.get("chat_template") if isinstance(data, dict) else None
    if isinstance(template, list):  # several under names
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None
