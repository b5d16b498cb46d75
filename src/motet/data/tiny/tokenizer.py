"""The tokenizer of the embedded model: a small byte-level BPE.

All 256 bytes are in the vocabulary and nothing is normalised, so any text survives. Every digit is
a token of its own; punctuation takes the space along that stands before a digit (", 4" is ", " and
"4"), so that a line of working is short.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from motet.errors import TokenizerError

__all__ = ["END", "SILENCE", "SPECIAL_TOKENS", "token_id", "train_tokenizer"]

SILENCE, END = "<|silence|>", "<|end|>"
SPECIAL_TOKENS = (SILENCE, END)
"""In the order of their ids, from 0."""

_PIECES = r"\d| ?\p{L}+|\n| ?[^\s\p{L}\d]+(?: (?=\d))?|\s"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn the merges from `texts`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=3,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """The id of a special token."""
    number = tokenizer.token_to_id(text)
    if number is None:
        raise TokenizerError("tokenizer", expected=f"the token {text}", got="none")
    return number
