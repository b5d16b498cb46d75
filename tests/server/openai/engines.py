"""Engines without a model whose replies are known: of several channels, and of one with a chat.

The one-channel tokenizer has the bytes and some special tokens; what the model says is a function
of the tokens after the last `<|assistant|>`.
"""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from motet.engine import Engine, Sampling
from motet.formats.chat import ChatFormat
from motet.streams import StreamCodec
from motet.streams.grid import Tokens
from motet.streams.layout import SpecialToken, single_channel
from tests.engine.scripted import (
    CERTAIN,
    ScriptedRuntime,
    ScriptedState,
    layout_of,
    scripted_engine,
)

SPECIAL = (
    "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<think>", "</think>",
)  # fmt: skip
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    "{% if open_thought %}<think>\n{% endif %}"
)


def chat_tokenizer() -> Tokenizer:
    """Special tokens, then the 256 bytes."""
    words = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def one_channel_engine(reply: str, *, template: str | None = TEMPLATE) -> Engine[ScriptedState]:
    """Says `reply` to everything (special tokens in it count), then `</s>`, then dots."""
    tokenizer = chat_tokenizer()
    layout = single_channel(SpecialToken(1, "</s>"), opening=(0,))
    codec = StreamCodec(tokenizer, layout)
    ids = [*tokenizer.encode(reply).ids, 1]
    size, dot = codec.vocab_size, codec.encode(".")[0]

    def predict(tokens_RC: Tokens) -> np.ndarray:
        column = tokens_RC[:, 0].tolist()
        starts = [row for row, token in enumerate(column) if token == 3]
        num_said = len(column) - 1 - starts[-1] if starts else 0
        if 6 in column[starts[-1] + 1 :] and ids[0] != 6 if starts else False:
            num_said -= 2  # the template itself has opened a thought
        logits = np.zeros((1, size), np.float32)
        logits[0, ids[num_said] if num_said < len(ids) else dot] = CERTAIN
        return logits

    runtime = ScriptedRuntime(layout, predict, vocab_size=size)
    chat = ChatFormat(template, {"bos_token": "<s>", "eos_token": "</s>"}, frozenset([1, 5]))
    return Engine("one", runtime, codec, Sampling(temperature=0.0), chat=chat)


def three_voices(output: str, think: str, doubt: str) -> Engine[ScriptedState]:
    """A scripted model of four channels; what it says begins in row 0, `.` is silence."""
    return scripted_engine(
        layout_of("Think", "Skeptical"), {"Output": output, "Think": think, "Skeptical": doubt}
    )
