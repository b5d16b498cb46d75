"""Codecs of small tokenizers."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from motet.streams import StreamCodec
from tests.streams.bpe import byte_level_bpe, two_channels


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """Do not change it; `bpe.changed` makes another."""
    return byte_level_bpe()


@pytest.fixture(scope="session")
def codec(tokenizer: Tokenizer) -> StreamCodec:
    """Our own kind: reserved tokens for silence and end."""
    return StreamCodec(tokenizer, two_channels(tokenizer))


@pytest.fixture(scope="session")
def word_codec(tokenizer: Tokenizer) -> StreamCodec:
    """The published kind: silence is the ordinary word " -", and nothing ends a message."""
    return StreamCodec(tokenizer, two_channels(tokenizer, silence=" -", end=None))
