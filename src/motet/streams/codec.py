"""Text to tokens and back for the streams of one layout, on the `tokenizers` library.

A message is tokenised whole, so spacing, newlines and code survive, and text -> tokens -> text is
the identity for any Unicode. Text never becomes a control token: special tokens that a user types
are spelled out, and so is a silence token that is an ordinary word (published checkpoints use
" -"; a typed " -" then becomes the tokens of its bytes). Some vocabularies lack bytes that are
rare; a text that would lose them is refused.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer

from motet.errors import InputError, TokenizerError
from motet.streams.detokenize import Detokenizer
from motet.streams.layout import Layout, SpecialToken
from motet.streams.spelling import SPACE, UTF8_BYTES, Pieces, Spelling, spelling_of

TOKENIZER_FILE = "tokenizer.json"
_PROBE = " a\n\tb  c, <|x|> e\u0301 \u6f22\U0001f642\r\n "


class StreamCodec:
    """The tokenizer of a model together with the control tokens of its layout.

    end_id, end_ids: the token that ends a message, and all that do: a one-channel model may have
    several. special_tokens: ids by text of the tokens that no text becomes; a chat template may
    write them.
    """

    def __init__(self, tokenizer: Tokenizer, layout: Layout, *, where: str = "tokenizer") -> None:
        self.layout = layout
        self.silence_id = None if layout.silence is None else layout.silence.id
        self.end_id = None if layout.end is None else layout.end.id
        self.end_ids = frozenset(() if layout.end is None else (layout.end.id,))
        self.vocab_size: int = tokenizer.get_vocab_size(with_added_tokens=True)
        self._tokenizer, self._spelling = _exact(tokenizer, where)
        added = tokenizer.get_added_tokens_decoder()
        self._added = {i: token.content for i, token in added.items()}
        self.special_tokens = {t.content: i for i, t in added.items() if t.special and t.content}
        self._bytes: dict[int, bytes] = {}
        for meaning, token in (("silence", layout.silence), ("end", layout.end)):
            if token is not None:
                self._check_special(meaning, token, where)
        tokens = set(map(self._spelling.token_of, UTF8_BYTES))
        self._is_complete = tokens <= self._tokenizer.get_vocab().keys()
        if (got := self.decode(self._encode(_PROBE))) != _PROBE:
            raise TokenizerError(
                where, expected=f"{_PROBE!r} to survive a round trip", got=f"{got!r}"
            )

    def ending_with(self, ids: Iterable[int]) -> StreamCodec:
        """The same, where these tokens end a message too."""
        twin = copy.copy(self)
        twin.end_ids = self.end_ids.union(ids)
        return twin

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
        ids = self._encode(text)
        if not self._is_complete and self.decode(ids) != text:
            lost = sorted({c for c in text if self.decode(self._encode(c)) != c})
            raise InputError(
                "text", expected="characters that the model's tokenizer has tokens for",
                got=", ".join(map(repr, lost[:5])),
            )  # fmt: skip
        return ids

    def _encode(self, text: str) -> list[int]:
        control = {self.silence_id, self.end_id}
        if isinstance(self._spelling, Pieces) and SPACE in text:  # else it would come back as " "
            between = self._spelled(SPACE.encode("utf-8"))
            parts = [self._encode(part) for part in text.split(SPACE)]
            return [i for n, part in enumerate(parts) for i in ([*between] if n else []) + part]
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
        return Detokenizer(self.token_bytes, self.silence_id, self.end_ids)

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
        if (data := self._spelling.bytes_of(token)) is None:
            raise TokenizerError(f"token {token_id}", expected=self._spelling.name, got=token)
        return data

    def _spell(self, token_id: int) -> list[int]:
        ids = self._spelled(self.token_bytes(token_id))
        if len(ids) < 2:
            raise InputError(
                "text", expected="no text that only the silence or end token can spell",
                got=repr(self.decode([token_id])),
            )  # fmt: skip
        return ids

    def _spelled(self, data: bytes) -> list[int]:
        """The tokens of single bytes; none if one of them has no token."""
        ids = [self._tokenizer.token_to_id(self._spelling.token_of(byte)) for byte in data]
        return [] if None in ids else [i for i in ids if i is not None]

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


def _exact(tokenizer: Tokenizer, where: str) -> tuple[Tokenizer, Spelling]:
    """The same tokenizer with everything switched off that changes, adds or cuts text."""
    settings = json.loads(tokenizer.to_str())
    if (spelling := spelling_of(settings)) is None:
        raise TokenizerError(
            where, expected="a byte-level BPE, or pieces with byte fallback",
            got=f"decoder {(settings.get('decoder') or {}).get('type')}",
        )  # fmt: skip
    normalizer = settings.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer] if normalizer else [])
    allowed = ("Prepend", "Replace") if isinstance(spelling, Pieces) else ("NFC",)
    if alien := [step["type"] for step in steps if step["type"] not in allowed]:
        raise TokenizerError(where, expected="no normalizer", got=", ".join(alien))
    exact = [step for step in steps if step["type"] == "Replace"]  # the space of pieces
    settings.update(
        normalizer={"type": "Sequence", "normalizers": exact} if exact else None,
        truncation=None, padding=None,
    )  # fmt: skip
    for added in settings["added_tokens"]:
        added.update(lstrip=False, rstrip=False)
    pre_tokenizer = settings.get("pre_tokenizer") or {}
    for step in pre_tokenizer.get("pretokenizers", [pre_tokenizer]):
        if step.get("type") == "ByteLevel":
            step["add_prefix_space"] = False
    changed = Tokenizer.from_str(json.dumps(settings))
    changed.encode_special_tokens = True
    return changed, spelling
