"""Small byte-level BPE tokenizers, made in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from motet.streams import Channel, ConvMode, Layout, Role, SpecialToken

TEXTS = [
    "The answer is - well - 42, I think.",
    "  def f(x):\n\treturn x ** 2  # squared\n",
    "Grüße aus Köln, ça va? Łódź, naïve façade.",
    "漢字とかなを混ぜて書く。日本語のテキスト。",
    "🙂 👩‍👩‍👧 family, 🏳️‍🌈 flag",
    "1234567890 3.14159 -7 - 8 = -15\r\n",
] * 3
# how LFM2 and Qwen3 split text before merging: words, single digits, runs of space
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ("<silence>", "<end>", "<|im_start|>")


def byte_level_bpe(*, pattern: str | None = SPLIT, vocab_size: int = 400) -> Tokenizer:
    """Trained on TEXTS; SPECIAL are its first ids, then the 256 bytes."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    tokenizer.pre_tokenizer = byte_level
    if pattern is not None:
        split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def changed(tokenizer: Tokenizer, change: Callable[[dict[str, Any]], object]) -> Tokenizer:
    """The tokenizer after `change` has altered its settings."""
    settings = json.loads(tokenizer.to_str())
    change(settings)
    return Tokenizer.from_str(json.dumps(settings))


def two_channels(
    tokenizer: Tokenizer, silence: str = "<silence>", end: str | None = "<end>"
) -> Layout:
    """User and Output, with control tokens looked up by their text."""

    def special(text: str) -> SpecialToken:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert len(ids) == 1, f"{text!r} is no single token"
        return SpecialToken(ids[0], text)

    return Layout(
        channels=(Channel("User", Role.INPUT), Channel("Output", Role.OUTPUT)),
        silence=special(silence),
        end=None if end is None else special(end),
        conv_mode=ConvMode.COLUMN,
        channel_embedding=True,
    )
