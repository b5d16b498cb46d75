"""How byte-level tokenizers cut a text into words, by the names that GGUF files use for it.

`tokenizer.ggml.pre` only names a rule; the rules themselves are in llama.cpp (file
src/llama-vocab.cpp) and in the tokenizer.json of the models that they come from. Here are those of
models with the architectures that Motet runs, as their authors wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_WORD, _SYMBOLS = r"[^\r\n\p{L}\p{N}]?\p{L}+", r" ?[^\s\p{L}\p{N}]+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_CONTRACTION}|{_WORD}|\p{{N}}{{1,3}}|{_SYMBOLS}[\r\n]*|{_SPACES}"
_QWEN2 = rf"{_CONTRACTION}|{_WORD}|\p{{N}}|{_SYMBOLS}[\r\n]*|{_SPACES}"
_QWEN35 = (
    rf"{_CONTRACTION}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_SPACES}"
)
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_FIRST = r"[^\r\n\p{L}\p{N}]?"
_TEKKEN = (
    rf"{_FIRST}{_UPPER}*{_LOWER}+|{_FIRST}{_UPPER}+{_LOWER}*"
    rf"|\p{{N}}|{_SYMBOLS}[\r\n/]*|{_SPACES}"
)
_GPT4O = (
    rf"{_FIRST}{_UPPER}*{_LOWER}+{_CONTRACTION}?|{_FIRST}{_UPPER}+{_LOWER}*{_CONTRACTION}?"
    rf"|\p{{N}}{{1,3}}|{_SYMBOLS}[\r\n/]*|{_SPACES}"
)
_DEEPSEEK3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    rf"|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_SPACES}"
)
_SEED = rf"{_CONTRACTION}|{_WORD}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_SPACES}"


@dataclass(frozen=True)
class PreTokenizer:
    """A rule: a text is split by each expression in turn.

    whole_words: a word that is a token is taken as it is, before any merge. adds_begin: whether
    the beginning-of-text token opens a text where the file doesn't say.
    """

    expressions: tuple[str, ...]
    whole_words: bool = False
    adds_begin: bool = False

    def to_json(self) -> dict[str, Any]:
        """The rule as a pre-tokenizer of tokenizer.json."""
        splits = [
            {"type": "Split", "pattern": {"Regex": e}, "behavior": "Isolated", "invert": False}
            for e in self.expressions
        ]
        letters = {
            "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
            "use_regex": False,
        }  # fmt: skip
        return {"type": "Sequence", "pretokenizers": [*splits, letters]}


_DIGITS_THEN_WORDS = PreTokenizer((r"\p{N}", _GPT2))
_WORDS = PreTokenizer((_GPT2,))
_LLAMA = PreTokenizer((_LLAMA3,), whole_words=True, adds_begin=True)
_QWEN = PreTokenizer((_QWEN2,))
PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "llama-bpe": _LLAMA,
    "lfm2": _LLAMA,
    "llama3": _LLAMA,
    "llama-v3": _LLAMA,
    "falcon3": _LLAMA,
    "pixtral": _LLAMA,
    "smaug-bpe": PreTokenizer((_LLAMA3,)),
    "dbrx": PreTokenizer((_LLAMA3,)),
    "qwen2": _QWEN,
    "deepseek-r1-qwen": _QWEN,
    "megrez": _QWEN,
    "stablelm2": _QWEN,
    "qwen35": PreTokenizer((_QWEN35,)),
    "smollm": _DIGITS_THEN_WORDS,
    "starcoder": _DIGITS_THEN_WORDS,
    "refact": _DIGITS_THEN_WORDS,
    "command-r": _DIGITS_THEN_WORDS,
    "codeshell": _DIGITS_THEN_WORDS,
    "exaone": _DIGITS_THEN_WORDS,
    "minerva-7b": _DIGITS_THEN_WORDS,
    "gpt-2": _WORDS,
    "phi-2": _WORDS,
    "mpt": _WORDS,
    "olmo": _WORDS,
    "jais": _WORDS,
    "exaone4": _WORDS,
    "trillion": _WORDS,
    "tekken": PreTokenizer((_TEKKEN,), whole_words=True, adds_begin=True),
    "gpt-4o": PreTokenizer((_GPT4O,)),
    "llama4": PreTokenizer((_GPT4O,)),
    "seed-coder": PreTokenizer((_SEED,)),
    "deepseek-coder": PreTokenizer(
        (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}")
    ),
    "deepseek-v3": PreTokenizer((r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", _DEEPSEEK3)),
    "falcon": PreTokenizer((r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]")),
    "default": PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
}
UNNAMED = "unnamed"


def name_of(pre_tokenizer: dict[str, Any], *, whole_words: bool, hint: str) -> str:
    """What GGUF files call a pre-tokenizer of tokenizer.json.

    Where several names mean the same, `hint` is taken if it is one of them. `unnamed` if there is
    no name for it: llama.cpp refuses that one, which is better than reading other tokens.
    """
    expressions = _expressions(pre_tokenizer)
    names = [
        name
        for name, rule in PRE_TOKENIZERS.items()
        if rule.expressions == expressions and rule.whole_words == whole_words
    ]
    return hint if hint in names else next(iter(names), UNNAMED)


def _expressions(pre_tokenizer: dict[str, Any]) -> tuple[str, ...] | None:
    """What a byte-level pre-tokenizer splits by; None if it does something else besides."""
    expressions: list[str] = []
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    for step in steps:
        kind, pattern = step.get("type"), step.get("pattern", {})
        is_last = step is steps[-1]
        if kind == "Split" and step.get("behavior") == "Isolated" and not step.get("invert"):
            expressions.append(pattern.get("Regex", ""))
        elif kind == "Digits" and step.get("individual_digits"):
            expressions.append(r"\p{N}")
        elif kind == "ByteLevel" and is_last and not step.get("add_prefix_space"):
            expressions += [_GPT2] if step.get("use_regex", True) else []
        else:
            return None
    return tuple(expressions)
