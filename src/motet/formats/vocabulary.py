"""The tokenizer that the metadata of a GGUF file describe.

`tokenizer.huggingface.json` holds a whole tokenizer.json and is believed first. Files of the
community lack it; then the tokenizer is built from the lists that llama.cpp reads: `gpt2`, a
byte-level BPE whose pre-tokenizer has a name, or `llama`, a SentencePiece model with scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from motet.errors import TokenizerError
from motet.formats.header import Value
from motet.formats.pretokenizers import PRE_TOKENIZERS
from motet.streams.layout import SpecialToken

HUGGINGFACE_KEY = "tokenizer.huggingface.json"
PREFIX = "tokenizer.ggml."
_SPACE = "\u2581"
_BYTE_LEVEL = {
    "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False,
}  # fmt: skip


class TokenType(IntEnum):
    """What a token is, in `tokenizer.ggml.token_type`."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def build_tokenizer(metadata: Mapping[str, Value], where: str) -> Tokenizer:
    """The tokenizer of these metadata; TokenizerError if they describe none that can be built."""
    text = metadata.get(HUGGINGFACE_KEY)
    if not isinstance(text, str):
        text = json.dumps(_settings(metadata, where))
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception
        raise TokenizerError(f"{where}: tokenizer", expected="one that fits", got=error) from None


def end_token(metadata: Mapping[str, Value]) -> SpecialToken | None:
    """The token that ends a message, if the metadata name one."""
    tokens, token_id = metadata.get(PREFIX + "tokens"), _special(metadata, "eos_token_id")
    if token_id is None or not isinstance(tokens, list):
        return None
    return SpecialToken(token_id, tokens[token_id])


def opening_tokens(metadata: Mapping[str, Value]) -> tuple[int, ...]:
    """Tokens that open every text: the beginning-of-text token or nothing."""
    model, rule = _text(metadata, "model"), PRE_TOKENIZERS.get(_text(metadata, "pre") or "")
    default = model == "llama" or (model == "gpt2" and rule is not None and rule.adds_begin)
    begin = _special(metadata, "bos_token_id")
    adds_begin = metadata.get(PREFIX + "add_bos_token", default)
    return (begin,) if adds_begin is True and begin is not None else ()


def _text(metadata: Mapping[str, Value], key: str) -> str | None:
    text = metadata.get(PREFIX + key)
    return text if isinstance(text, str) else None


def _special(metadata: Mapping[str, Value], key: str) -> int | None:
    token_id, tokens = metadata.get(PREFIX + key), metadata.get(PREFIX + "tokens")
    if type(token_id) is not int or not isinstance(tokens, list):
        return None
    return token_id if 0 <= token_id < len(tokens) else None


def _settings(metadata: Mapping[str, Value], where: str) -> dict[str, Any]:
    """A tokenizer.json that does what llama.cpp does with these metadata."""
    tokens, types = _tokens(metadata, where)
    model = _text(metadata, "model")
    if model == "gpt2":
        parts = _byte_level(metadata, tokens, where)
    elif model == "llama":
        parts = _sentence_piece(metadata, tokens, types, where)
    else:
        raise TokenizerError(
            f"{where}: {PREFIX}model", expected="gpt2 or llama", got=repr(model)[:80]
        )
    added = [
        {
            "id": token_id, "content": tokens[token_id], "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": False, "special": types[token_id] == TokenType.CONTROL,
        }
        for token_id in range(len(tokens))
        if types[token_id] in (TokenType.CONTROL, TokenType.USER_DEFINED)
    ]  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "post_processor": _opening(opening_tokens(metadata), tokens), **parts,
    }  # fmt: skip


def _tokens(metadata: Mapping[str, Value], where: str) -> tuple[list[str], list[int]]:
    """Token strings and types by id."""
    tokens, types = metadata.get(PREFIX + "tokens"), metadata.get(PREFIX + "token_type")
    if not isinstance(tokens, list) or not tokens:
        raise TokenizerError(
            f"{where}: {PREFIX}tokens", expected="a list of tokens", got=repr(tokens)[:80]
        )
    if types is None:
        types = np.full(len(tokens), TokenType.NORMAL)
    if not isinstance(types, np.ndarray) or len(types) != len(tokens):
        raise TokenizerError(f"{where}: {PREFIX}token_type", expected=f"{len(tokens)} numbers")
    if len(set(tokens)) < len(tokens):
        twice = next(t for i, t in enumerate(tokens) if t in set(tokens[:i]))
        raise TokenizerError(
            f"{where}: {PREFIX}tokens", expected="distinct", got=f"{twice!r} twice"
        )
    return tokens, types.tolist()


def _byte_level(metadata: Mapping[str, Value], tokens: list[str], where: str) -> dict[str, Any]:
    name, merges = metadata.get(PREFIX + "pre", "default"), metadata.get(PREFIX + "merges")
    if not isinstance(name, str) or name not in PRE_TOKENIZERS:
        raise TokenizerError(
            f"{where}: {PREFIX}pre", expected=f"one of {', '.join(PRE_TOKENIZERS)}",
            got=repr(name)[:80],
        )  # fmt: skip
    if not isinstance(merges, list):
        raise TokenizerError(f"{where}: {PREFIX}merges", expected="a list", got=repr(merges)[:80])
    rule = PRE_TOKENIZERS[name]
    vocab = {token: i for i, token in enumerate(tokens)}
    return {
        "normalizer": None, "pre_tokenizer": rule.to_json(), "decoder": _BYTE_LEVEL,
        "model": _bpe(vocab, [_pair(m, where) for m in merges], ignore_merges=rule.whole_words),
    }  # fmt: skip


def _pair(merge: str, where: str) -> list[str]:
    """`Ġ t` -> [`Ġ`, `t`]; a token may begin with the space that separates them."""
    cut = merge.find(" ", 1)
    if cut < 0:
        raise TokenizerError(
            f"{where}: {PREFIX}merges", expected="two tokens with a space between", got=repr(merge)
        )
    return [merge[:cut], merge[cut + 1 :]]


def _sentence_piece(
    metadata: Mapping[str, Value], tokens: list[str], types: list[int], where: str
) -> dict[str, Any]:
    """SentencePiece joins the neighbours whose token has the best score: a BPE by scores."""
    scores = metadata.get(PREFIX + "scores")
    if not isinstance(scores, np.ndarray) or len(scores) != len(tokens):
        raise TokenizerError(f"{where}: {PREFIX}scores", expected=f"{len(tokens)} numbers")
    vocab = {token: i for i, token in enumerate(tokens)}
    order = np.argsort(-scores.astype(np.float64), kind="stable").tolist()
    normal = (TokenType.NORMAL, TokenType.USER_DEFINED, TokenType.UNUSED)
    merges = [
        [token[:cut], token[cut:]]
        for token in (tokens[i] for i in order if types[i] in normal)
        for cut in range(1, len(token))
        if token[:cut] in vocab and token[cut:] in vocab
    ]
    has_prefix = metadata.get(PREFIX + "add_space_prefix", True) is True
    steps: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    ]
    undo: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if has_prefix:
        steps.insert(0, {"type": "Prepend", "prepend": _SPACE})
        undo.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    unknown = next((tokens[i] for i, kind in enumerate(types) if kind == TokenType.UNKNOWN), None)
    return {
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": undo},
        "model": _bpe(vocab, merges, byte_fallback=True, unk_token=unknown, fuse_unk=True),
    }


def _bpe(vocab: dict[str, int], merges: list[list[str]], **options: object) -> dict[str, Any]:
    model = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
        "ignore_merges": False, "vocab": vocab, "merges": merges,
    }  # fmt: skip
    return {**model, **options}


def _opening(ids: tuple[int, ...], tokens: list[str]) -> dict[str, Any] | None:
    """The step that puts the opening tokens before a text."""
    if not ids:
        return None
    names = [tokens[i] for i in ids]
    specials = {n: {"id": n, "ids": [i], "tokens": [n]} for n, i in zip(names, ids, strict=True)}
    opening = [{"SpecialToken": {"id": name, "type_id": 0}} for name in names]
    text = [{"Sequence": {"id": "A", "type_id": 0}}]
    pair = [{"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "type": "TemplateProcessing", "single": opening + text, "pair": opening + text + pair,
        "special_tokens": specials,
    }  # fmt: skip
