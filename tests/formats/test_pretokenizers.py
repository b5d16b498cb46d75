"""A tokenizer.json is recognised by what it does, and named as llama.cpp names it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import PreTokenizer

from motet.formats.pretokenizers import PRE_TOKENIZERS, UNNAMED, name_of

# as the tokenizer.json of these models have it
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
LETTERS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
WORDS = pre_tokenizers.ByteLevel(add_prefix_space=False)


def split(pattern: str, behavior: str = "isolated") -> PreTokenizer:
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior)


def sequence(*steps: PreTokenizer) -> PreTokenizer:
    return pre_tokenizers.Sequence(list(steps))


def settings(pre_tokenizer: PreTokenizer) -> dict[str, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    data: dict[str, Any] = json.loads(tokenizer.to_str())["pre_tokenizer"]
    return data


NAMES = {
    "llama-bpe": (sequence(split(LLAMA3), LETTERS), True),
    "smaug-bpe": (sequence(split(LLAMA3), LETTERS), False),
    "qwen2": (sequence(split(QWEN2), LETTERS), False),
    "gpt-2": (WORDS, False),
    "smollm": (sequence(pre_tokenizers.Digits(individual_digits=True), WORDS), False),
    UNNAMED: (sequence(split(r"\d| ?\p{L}+|\s"), LETTERS), False),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    pre_tokenizer, whole_words = NAMES[name]
    assert name_of(settings(pre_tokenizer), whole_words=whole_words, hint="") == name


def test_a_hint_decides_between_names_of_one_rule() -> None:
    llama3 = settings(sequence(split(LLAMA3), LETTERS))
    assert name_of(llama3, whole_words=True, hint="lfm2") == "lfm2"
    assert name_of(llama3, whole_words=False, hint="lfm2") == "smaug-bpe"
    assert name_of(settings(WORDS), whole_words=False, hint="lfm2") == "gpt-2"


@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        sequence(split(LLAMA3, "removed"), LETTERS),
        sequence(LETTERS, split(LLAMA3)),
        sequence(split(LLAMA3), pre_tokenizers.Whitespace(), LETTERS),
        sequence(pre_tokenizers.Digits(individual_digits=False), WORDS),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Whitespace(),
    ],
)
def test_what_does_something_else_has_no_name(pre_tokenizer: PreTokenizer) -> None:
    for whole_words in (True, False):
        assert name_of(settings(pre_tokenizer), whole_words=whole_words, hint="qwen2") == UNNAMED
    assert name_of({}, whole_words=False, hint="qwen2") == UNNAMED


def test_every_rule_is_recognised_again() -> None:
    for name, rule in PRE_TOKENIZERS.items():
        assert name_of(rule.to_json(), whole_words=rule.whole_words, hint=name) == name
