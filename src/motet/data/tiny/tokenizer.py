"""The tokenizer of the embedded model: a small byte-level BPE.

All 256 bytes are in the vocabulary and nothing is normalised, so any text survives. Every digit is
a token of its own; punctuation takes the space along that stands before a digit (", 4" is ", " and
"4"), so that a line of working is short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from motet.errors import TokenizerError

__all__ = ["ANSWER", "END", "SILENCE", "SPECIAL_TOKENS", "token_id", "train_tokenizer"]

SILENCE, END, ANSWER = "<|silence|>", "<|end|>", "<|answer|>"
SPECIAL_TOKENS = (SILENCE, END)
"""In the order of their ids, from 0. A sequence has ANSWER, too: what follows is the reply."""

_PIECES = r"\d| ?\p{L}+|\n| ?[^\s\p{L}\d]+(?: (?=\d))?|\s"


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, special_tokens: Sequence[str] = SPECIAL_TOKENS
) -> Tokenizer:
    """Learn the merges from `texts`; the special tokens get the ids from 0."""
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
        special_tokens=list(special_tokens),
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
