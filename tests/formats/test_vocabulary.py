"""Tokenizers that are built from a file's lists read any text as llama.cpp does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from motet.errors import TokenizerError
from motet.formats.gguf import read_gguf
from motet.formats.header import Value
from motet.formats.pretokenizers import PRE_TOKENIZERS
from motet.formats.vocabulary import PREFIX, build_tokenizer, end_token, opening_tokens
from motet.streams import SpecialToken
from tests.formats.llama_cpp import needs_llama_cpp, tokens_of
from tests.formats.vocabularies import (
    BEGIN,
    END,
    MARKS,
    TEXTS,
    TOOL,
    byte_level,
    sentence_piece,
    write_model,
)

WITHOUT_MARKS = ("gpt-4o", "tekken")  # there llama.cpp simplifies what the authors wrote
RULES = {rule: name for name, rule in reversed(PRE_TOKENIZERS.items())}


def build(metadata: dict[str, Value]) -> Tokenizer:
    return build_tokenizer(metadata, "model.gguf")


def plain(tokenizer: Tokenizer, text: str) -> list[int]:
    """As a message is read: control tokens that somebody types stay text."""
    tokenizer.encode_special_tokens = True
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


@needs_llama_cpp
@pytest.mark.parametrize("name", RULES.values())
def test_reads_as_llama_cpp(name: str, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.gguf", byte_level(name))
    tokenizer = read_gguf(model).tokenizer()
    texts = TEXTS + ([] if name in WITHOUT_MARKS else MARKS)
    for text, expected in zip(texts, tokens_of(model, texts), strict=True):
        assert plain(tokenizer, text) == expected, (name, text)


@needs_llama_cpp
def test_llama_cpp_knows_every_name(tmp_path: Path) -> None:
    """Two names of one rule mean the same there too."""
    for name, rule in PRE_TOKENIZERS.items():
        if RULES[rule] != name:
            metadata = byte_level(RULES[rule]) | {PREFIX + "pre": name}
            model = write_model(tmp_path / f"{name}.gguf", metadata)
            text = "I'll 12345 x\n\n  漢字 CamelCase"
            assert tokens_of(model, [text]) == [plain(read_gguf(model).tokenizer(), text)], name


@needs_llama_cpp
@pytest.mark.parametrize("space_prefix", [True, False])
def test_reads_pieces_as_llama_cpp(tmp_path: Path, *, space_prefix: bool) -> None:
    model = write_model(tmp_path / "model.gguf", sentence_piece(space_prefix=space_prefix))
    tokenizer = read_gguf(model).tokenizer()
    generator = np.random.default_rng(1)
    words = [
        "hello",
        "the",
        "world",
        "  ",
        " ",
        "a",
        "and",
        "ing",
        "HELLO",
        "漢字",
        "é",
        "\n",
        "aaa",
        "<s>",
    ]
    texts = [t for t in TEXTS if t] + ["".join(generator.choice(words, 12)) for _ in range(100)]
    for text, expected in zip(texts, tokens_of(model, texts), strict=True):
        assert plain(tokenizer, text) == expected, text


@needs_llama_cpp
@pytest.mark.parametrize("name", ["llama-bpe", "gpt-2", "qwen2"])
@pytest.mark.parametrize("add_begin", [None, True, False])
def test_opens_a_text_as_llama_cpp(name: str, add_begin: bool | None, tmp_path: Path) -> None:
    metadata = byte_level(name, add_begin=add_begin)
    model = write_model(tmp_path / "model.gguf", metadata)
    expected = tokens_of(model, ["x"], add_special=True)[0]
    assert list(build(metadata).encode("x").ids) == expected
    assert opening_tokens(metadata) == tuple(expected[:-1])


def test_begins_by_default() -> None:
    assert opening_tokens(byte_level("llama-bpe")) == (0,)
    assert opening_tokens(byte_level("qwen2")) == ()
    assert opening_tokens(sentence_piece()) == (1,)
    assert opening_tokens(sentence_piece() | {PREFIX + "add_bos_token": False}) == ()
    assert opening_tokens(byte_level("llama-bpe") | {PREFIX + "bos_token_id": 99999}) == ()


def test_ends() -> None:
    assert end_token(byte_level("qwen2")) == SpecialToken(1, END)
    for odd in (99999, -1, "1", True):
        assert end_token(byte_level("qwen2") | {PREFIX + "eos_token_id": odd}) is None


def test_special_tokens_keep_their_ids() -> None:
    tokenizer = build(byte_level("qwen2"))
    assert tokenizer.token_to_id(BEGIN) == 0
    assert tokenizer.encode(f"a{END}b{TOOL}", add_special_tokens=False).ids[1::2] == [1, 2]
    assert plain(tokenizer, f"{TOOL}{END}")[0] == 2  # a token that users may type
    assert 1 not in plain(tokenizer, f"{TOOL}{END}")


@given(st.text())
def test_any_text_survives(text: str) -> None:
    tokenizer = build(byte_level("llama-bpe"))
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def without(metadata: dict[str, Value], key: str) -> dict[str, Value]:
    return {k: v for k, v in metadata.items() if k != PREFIX + key}


def test_the_default_rule() -> None:
    metadata = byte_level("default")
    assert plain(build(without(metadata, "pre")), TEXTS[10]) == plain(build(metadata), TEXTS[10])


BPE: dict[str, Any] = byte_level("qwen2")
PIECES: dict[str, Any] = sentence_piece()
NUM_TOKENS = len(BPE[PREFIX + "tokens"])
BROKEN: dict[str, tuple[dict[str, Any], str, Any]] = {
    "no model": (BPE, "model", None),
    "another model": (BPE, "model", "bert"),
    "a model that is a number": (BPE, "model", 3),
    "no tokens": (BPE, "tokens", None),
    "tokens that are none": (BPE, "tokens", []),
    "tokens that are numbers": (BPE, "tokens", np.arange(5)),
    "a token twice": (BPE, "tokens", ["a"] * NUM_TOKENS),
    "types for other tokens": (BPE, "token_type", np.ones(3, np.int32)),
    "types in words": (BPE, "token_type", ["1"] * NUM_TOKENS),
    "an unknown rule": (BPE, "pre", "unnamed"),
    "a rule that is a list": (BPE, "pre", ["qwen2"]),
    "no merges": (BPE, "merges", None),
    "merges that are numbers": (BPE, "merges", np.arange(5)),
    "merges of tokens that are none": (BPE, "merges", ["zz zz"]),
    "merges without a space": (BPE, "merges", ["aa"]),
    "no scores": (PIECES, "scores", None),
    "scores for other tokens": (PIECES, "scores", np.zeros(3, np.float32)),
    "scores in words": (PIECES, "scores", ["0"] * 309),
}


@pytest.mark.parametrize(("metadata", "key", "value"), BROKEN.values(), ids=BROKEN)
def test_refuses(metadata: dict[str, Any], key: str, value: Any) -> None:
    broken = without(metadata, key) if value is None else metadata | {PREFIX + key: value}
    with pytest.raises(TokenizerError, match=r"^model\.gguf: ") as refusal:
        build(broken)
    assert len(str(refusal.value)) < 700


def test_scores_that_are_no_numbers_do_no_harm() -> None:
    scores = np.full(len(PIECES[PREFIX + "tokens"]), np.nan, np.float32)
    assert plain(build(PIECES | {PREFIX + "scores": scores}), "hello")


def test_a_whole_tokenizer_is_believed_first() -> None:
    text = build(byte_level("qwen2")).to_str()
    metadata = PIECES | {"tokenizer.huggingface.json": text}
    assert plain(build(metadata), TEXTS[9]) == plain(build(byte_level("qwen2")), TEXTS[9])
    with pytest.raises(TokenizerError, match="tokenizer"):
        build(PIECES | {"tokenizer.huggingface.json": "{}"})
