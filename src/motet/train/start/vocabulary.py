"""The tokenizer of a new layout: the one of the base model, with the tokens that it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Tokenizer

from motet.errors import TokenizerError
from motet.streams.codec import StreamCodec, read_tokenizer
from motet.streams.layout import Channel, Layout, SpecialToken
from motet.train.config.model import LayoutConfig

__all__ = ["Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """A layout, and the content of its tokenizer.json.

    size: tokens with the added ones. added_ids: tokens that no weights were trained for.
    """

    layout: Layout
    content: bytes
    size: int
    added_ids: tuple[int, ...]

    @classmethod
    def of(cls, file: Path, config: LayoutConfig) -> Vocabulary:
        """The tokenizer in `file` for the channels of `config`; the file itself if all is there.

        A silence or end token is taken as it is if its text is one token already. TokenizerError
        if the file is broken or the result does not read what is typed.
        """
        tokenizer = read_tokenizer(file)
        added: list[int] = []
        silence = _special(tokenizer, config.silence, added)
        end = _special(tokenizer, config.end, added)
        layout = Layout(
            channels=tuple(Channel(channel.name, channel.role) for channel in config.channels),
            silence=silence,
            end=end,
            conv_mode=config.conv_mode,
            channel_embedding=config.channel_embedding,
        )
        content = tokenizer.to_str(pretty=True).encode("utf-8") if added else file.read_bytes()
        StreamCodec(Tokenizer.from_buffer(content), layout, where=str(file))
        size = tokenizer.get_vocab_size(with_added_tokens=True)
        return cls(layout, content, size, tuple(added))

    @classmethod
    def as_it_is(cls, file: Path, layout: Layout) -> Vocabulary:
        """The tokenizer in `file` of a model that has a layout already."""
        codec = StreamCodec(read_tokenizer(file), layout, where=str(file))
        return cls(layout, file.read_bytes(), codec.vocab_size, ())


def _special(tokenizer: Tokenizer, text: str, added: list[int]) -> SpecialToken | None:
    if not text:
        return None
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    if len(ids) != 1:
        tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False)])
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if len(ids) != 1:
            raise TokenizerError("added token", expected="a text that becomes one token", got=text)
        added.append(ids[0])
    return SpecialToken(ids[0], text)
