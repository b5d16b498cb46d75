"""Streams: the layout of channels, the grid of tokens, and text to tokens and back."""

from motet.streams.codec import StreamCodec
from motet.streams.detokenize import Detokenizer
from motet.streams.grid import Grid
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken

__all__ = [
    "Channel",
    "ConvMode",
    "Detokenizer",
    "Grid",
    "Layout",
    "Role",
    "SpecialToken",
    "StreamCodec",
]
