"""Stream tables of more channels to tables of ours: channels chosen, renamed, ordered.

So the 10 channels of the published stream-data corpus become 4. Words get their spaces back
(`words`); tokens become the text that they stand for, through the tokenizer that made them.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from motet.data.project.choice import Choice, layout_of
from motet.data.project.columns import check_num_rows, column_of, named_columns
from motet.data.project.corpus import Entry
from motet.data.project.projecting import LeftOut
from motet.data.project.words import cells_of_words, message_ends
from motet.data.table import Cell, Table
from motet.errors import DataError, TokenizerError
from motet.formats.directory import PUBLISHED_SILENCE, read_directory
from motet.streams.codec import TOKENIZER_FILE, StreamCodec, read_tokenizer
from motet.streams.layout import Channel, Role, SpecialToken

__all__ = ["StreamProjection"]

SOURCE = "stream-data"
_KEPT = ("question", "answer", "input_prompt", "source_dir")


@dataclass(frozen=True)
class StreamProjection:
    """A `motet.data.project.projecting.Projection` of stream tables.

    tokenizer: of the tokens, a tokenizer.json or a model directory; None for words. end_after: a
    message ends where its channel is silent for so many rows; None: tables have no ends.
    """

    choices: tuple[Choice, ...]
    tokenizer: Path | None = None
    end_after: int | None = None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """See `Projection`."""
        return tuple(choice.channel for choice in self.choices)

    @property
    def command(self) -> tuple[str, ...]:
        """See `Projection`."""
        end = () if self.end_after is None else ("--end-after", str(self.end_after))
        tokenizer = () if self.tokenizer is None else ("--tokenizer", self.tokenizer.name)
        chosen = ",".join(map(str, self.choices))
        return ("motet", "data", "project", "streams", "--channels", chosen, *tokenizer, *end)

    @property
    def tools(self) -> tuple[Path, ...]:
        """See `Projection`."""
        return () if self.tokenizer is None else (_tokenizer_file(self.tokenizer),)

    def __call__(self, entry: Entry) -> Table:
        """See `Projection`."""
        columns = named_columns(entry)
        chosen = [column_of(columns, choice.source, entry.where) for choice in self.choices]
        check_num_rows(entry, chosen)
        cells = [
            self._cells(column, f"{entry.where}: {choice.source}")
            for column, choice in zip(chosen, self.choices, strict=True)
        ]
        rows = tuple(zip(*cells, strict=True))
        if not any(cell for row in rows for cell in row):
            raise LeftOut("nothing is said")
        meta = {"source": SOURCE} | {key: entry.data[key] for key in _KEPT if key in entry.data}
        return Table(entry.name, self.channels, rows, meta)

    def _cells(self, column: Sequence[Any], where: str) -> list[Cell | None]:
        if all(item is None or isinstance(item, str) for item in column):
            return cells_of_words(column, self.end_after)
        if not all(type(item) is int for item in column):
            raise DataError(where, expected="words or tokens", got="something else among them")
        if self.tokenizer is None:
            raise DataError(
                where, expected="words", got="tokens", fix="name their tokenizer: --tokenizer DIR"
            )
        return _cells_of_tokens(column, _codec(self.tokenizer), self.end_after, where)


def _cells_of_tokens(
    column: Sequence[int], codec: StreamCodec, end_after: int | None, where: str
) -> list[Cell | None]:
    """Cells of a column of tokens; a character that several tokens make up is in the last's row."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="strict")
    texts: list[str | None] = []
    ended: set[int] = set()
    for row, token_id in enumerate(column):
        texts.append(None)
        if token_id == codec.end_id:
            ended.add(row)
        elif token_id != codec.silence_id:
            try:
                texts[row] = decoder.decode(codec.token_bytes(token_id)) or None
            except TokenizerError as error:
                raise DataError(f"{where}[{row}]: {error}") from None
            except UnicodeDecodeError:
                raise LeftOut("tokens that are no text") from None
    if decoder.getstate()[0]:
        raise LeftOut("tokens that are no text")
    ended.update(message_ends([text is not None for text in texts], end_after))
    return [
        Cell(text or "", row in ended) if text is not None or row in ended else None
        for row, text in enumerate(texts)
    ]


def _tokenizer_file(path: Path) -> Path:
    file = path / TOKENIZER_FILE if path.is_dir() else path
    if not file.is_file():
        raise TokenizerError("tokenizer file", expected=str(file), got="no such file")
    return file


@cache
def _codec(path: Path) -> StreamCodec:
    """The tokenizer of a model directory with its silence and end, or a tokenizer with " -"."""
    if (path / "config.json").is_file():
        directory = read_directory(path)
        if directory.layout.silence is not None:
            return StreamCodec.load(path, directory.layout)
    file = _tokenizer_file(path)
    tokenizer = read_tokenizer(file)
    silence_ids = tokenizer.encode(PUBLISHED_SILENCE, add_special_tokens=False).ids
    if not silence_ids:
        raise TokenizerError(str(file), expected=f"a token for {PUBLISHED_SILENCE!r}", got="none")
    channels = [Channel("User", Role.INPUT), Channel("Output", Role.OUTPUT)]
    silence = SpecialToken(silence_ids[0], PUBLISHED_SILENCE)
    return StreamCodec(tokenizer, layout_of(channels, silence), where=str(file))
