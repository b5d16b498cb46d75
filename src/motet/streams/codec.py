"""Text to tokens and back for the streams of one layout, on the `tokenizers` library.

A message is tokenised whole, so spacing, newlines and code survive, and text -> tokens -> text is
the identity for any Unicode. Text never becomes a control token: special tokens that a user types
are spelled out, and so is a silence token that is an ordinary word (published checkpoints use
" -"; a typed " -" then becomes the tokens of its bytes).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

from motet.errors import InputError, TokenizerError
from motet.streams.detokenize import Detokenizer
from motet.streams.layout import Layout, SpecialToken

TOKENIZER_FILE = "tokenizer.json"
_UTF8_BYTES = frozenset(range(0xF5)) - {0xC0, 0xC1}
_PROBE = " a\n\tb  c, <|x|> e\u0301 \u6f22\U0001f642\r\n "


class StreamCodec:
    """The tokenizer of a model together with the control tokens of its layout."""

    def __init__(self, tokenizer: Tokenizer, layout: Layout, *, where: str = "tokenizer") -> None:
        self.layout = layout
        self.silence_id = None if layout.silence is None else layout.silence.id
        self.end_id = None if layout.end is None else layout.end.id
        self.vocab_size: int = tokenizer.get_vocab_size(with_added_tokens=True)
        self._tokenizer = _exact(tokenizer, where)
        self._added = {i: t.content for i, t in tokenizer.get_added_tokens_decoder().items()}
        self._bytes: dict[int, bytes] = {}
        for meaning, token in (("silence", layout.silence), ("end", layout.end)):
            if token is not None:
                self._check_special(meaning, token, where)
        letters = {letter for letter, byte in _byte_of_letter().items() if byte in _UTF8_BYTES}
        if missing := sorted(letters - self._tokenizer.get_vocab().keys()):
            raise TokenizerError(
                where, expected="a token for every byte", got=f"none for {missing}"
            )
        if (got := self.decode(self.encode(_PROBE))) != _PROBE:
            raise TokenizerError(
                where, expected=f"{_PROBE!r} to survive a round trip", got=f"{got!r}"
            )

    @classmethod
    def load(cls, directory: Path, layout: Layout) -> StreamCodec:
        """Read `tokenizer.json` of a model directory; TokenizerError if missing or unfit."""
        path = directory / TOKENIZER_FILE
        return cls(read_tokenizer(path), layout, where=str(path))

    def encode(self, text: str) -> list[int]:
        """Token ids of a whole message, without any control token."""
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                "text", expected="Unicode without lone surrogates", got=error
            ) from None
        control = {self.silence_id, self.end_id}
        ids: list[int] = []
        for token_id in self._tokenizer.encode(text, add_special_tokens=False).ids:
            ids.extend(self._spell(token_id) if token_id in control else (token_id,))
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the tokens as they stand, control tokens included."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def text(self, column: Iterable[int]) -> str:
        """What a stream says: its messages, a newline between them, without control tokens."""
        detokenizer = self.detokenizer()
        return "".join(map(detokenizer.push, column)) + detokenizer.flush()

    def detokenizer(self) -> Detokenizer:
        """A fresh incremental detokenizer for one stream."""
        return Detokenizer(self.token_bytes, self.silence_id, self.end_id)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that a token stands for."""
        if token_id not in self._bytes:
            self._bytes[token_id] = self._look_up(token_id)
        return self._bytes[token_id]

    def _look_up(self, token_id: int) -> bytes:
        if token_id in self._added:
            return self._added[token_id].encode("utf-8")
        in_range = 0 <= token_id < 2**32  # what the library can be asked
        token = self._tokenizer.id_to_token(token_id) if in_range else None
        if token is None:
            raise TokenizerError("token id", expected=f"0 to {self.vocab_size - 1}", got=token_id)
        if not _byte_of_letter().keys() >= set(token):
            raise TokenizerError(f"token {token_id}", expected="byte-level letters", got=token)
        return bytes(map(_byte_of_letter().__getitem__, token))

    def _spell(self, token_id: int) -> list[int]:
        letter_of_byte = {byte: letter for letter, byte in _byte_of_letter().items()}
        letters = [letter_of_byte[byte] for byte in self.token_bytes(token_id)]
        ids = [self._tokenizer.token_to_id(letter) for letter in letters]
        if len(ids) < 2 or None in ids:
            raise InputError(
                "text", expected="no text that only the silence or end token can spell",
                got=repr(self.decode([token_id])),
            )  # fmt: skip
        return [i for i in ids if i is not None]

    def _check_special(self, meaning: str, token: SpecialToken, where: str) -> None:
        got = self.decode([token.id]) if token.id < self.vocab_size else "no such id"
        if got != token.text:
            raise TokenizerError(
                f"{where}: {meaning} token {token.id}", expected=repr(token.text), got=repr(got),
                fix="use the tokenizer that belongs to this layout",
            )  # fmt: skip


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`; TokenizerError if it is missing or broken."""
    if not path.is_file():
        raise TokenizerError("tokenizer file", expected=str(path), got="no such file")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises bare Exception, nothing narrower
        raise TokenizerError(str(path), expected="a tokenizer file", got=error) from None


def _exact(tokenizer: Tokenizer, where: str) -> Tokenizer:
    """The same tokenizer with everything switched off that changes, adds or cuts text."""
    settings = json.loads(tokenizer.to_str())
    decoder = settings.get("decoder") or {}
    if decoder.get("type") != "ByteLevel":
        raise TokenizerError(
            where, expected="a byte-level BPE", got=f"decoder {decoder.get('type')}"
        )
    normalizer = (settings.get("normalizer") or {}).get("type")
    if normalizer not in (None, "NFC"):
        raise TokenizerError(where, expected="no normalizer", got=normalizer)
    settings.update(normalizer=None, truncation=None, padding=None)
    for added in settings["added_tokens"]:
        added.update(lstrip=False, rstrip=False)
    pre_tokenizer = settings.get("pre_tokenizer") or {}
    for step in pre_tokenizer.get("pretokenizers", [pre_tokenizer]):
        if step.get("type") == "ByteLevel":
            step["add_prefix_space"] = False
    exact = Tokenizer.from_str(json.dumps(settings))
    exact.encode_special_tokens = True
    return exact


@cache
def _byte_of_letter() -> dict[str, int]:
    """The byte-level alphabet of GPT-2: printable bytes are themselves, others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}
