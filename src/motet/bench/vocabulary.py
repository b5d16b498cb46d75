"""A tokenizer and a layout for weights that never learned one.

The tokenizer spells every text in single bytes; the rest of the vocabulary is filled with tokens
that no text becomes, so that embedding and head have their real size.
"""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from motet.errors import BenchError
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken, single_channel

SILENCE, END = SpecialToken(0, "<|silence|>"), SpecialToken(1, "<|end|>")
_NAMES = ("User", "Output", "Think", "Skeptical")
_SPECIAL = (SILENCE.text, END.text)


def byte_tokenizer(vocab_size: int) -> Tokenizer:
    """A byte-level tokenizer with exactly `vocab_size` tokens; BenchError if bytes do not fit."""
    tokens = [*_SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    if vocab_size < len(tokens):
        raise BenchError("vocabulary", expected=f"at least {len(tokens)} tokens", got=vocab_size)
    tokens += [f"<|unused_{number}|>" for number in range(len(tokens), vocab_size)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in _SPECIAL])
    return tokenizer


def channels_layout(num_channels: int) -> Layout:
    """A layout of so many channels: one input, the output, and thoughts; alone, the output.

    Without a channel embedding, which costs next to nothing and which a peer would not read.
    """
    if num_channels == 1:
        return single_channel(END, (SILENCE.id,))
    names = [*_NAMES, *(f"Think {i}" for i in range(len(_NAMES), num_channels))][:num_channels]
    roles = [Role.INPUT, Role.OUTPUT, *[Role.THOUGHT] * (num_channels - 2)]
    return Layout(
        channels=tuple(Channel(n, r) for n, r in zip(names, roles, strict=True)),
        silence=SILENCE,
        end=END,
        conv_mode=ConvMode.COLUMN,
        channel_embedding=False,
    )
