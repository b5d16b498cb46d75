"""The tokenizer that the metadata of a GGUF file describes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tokenizers import Tokenizer

from motet.errors import TokenizerError
from motet.formats.header import Value
from motet.streams.layout import SpecialToken

HUGGINGFACE_KEY = "tokenizer.huggingface.json"
_TOKENS = "tokenizer.ggml.tokens"


def build_tokenizer(metadata: Mapping[str, Value], where: str) -> Tokenizer:
    """The tokenizer of these metadata; TokenizerError if they describe none."""
    text = metadata.get(HUGGINGFACE_KEY)
    if not isinstance(text, str):
        raise TokenizerError(f"{where}: {HUGGINGFACE_KEY}", expected="a tokenizer", got="none")
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception
        raise TokenizerError(
            f"{where}: {HUGGINGFACE_KEY}", expected="a tokenizer", got=error
        ) from None


def end_token(metadata: Mapping[str, Value]) -> SpecialToken | None:
    """The token that ends a message, if the metadata name one."""
    return _special(metadata, "tokenizer.ggml.eos_token_id")


def opening_tokens(metadata: Mapping[str, Value]) -> tuple[int, ...]:
    """Tokens that open every text: the beginning-of-text token or nothing."""
    is_added = isinstance(added := metadata.get("tokenizer.ggml.add_bos_token"), bool) and added
    token = _special(metadata, "tokenizer.ggml.bos_token_id") if is_added else None
    return () if token is None else (token.id,)


def _special(metadata: Mapping[str, Value], key: str) -> SpecialToken | None:
    token_id, tokens = metadata.get(key), metadata.get(_TOKENS)
    if type(token_id) is not int or not isinstance(tokens, list):
        return None
    in_range = 0 <= token_id < min(len(tokens), np.iinfo(np.int32).max)
    return SpecialToken(token_id, tokens[token_id]) if in_range else None
