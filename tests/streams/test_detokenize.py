"""Text as it comes: never half a character, nothing lost, nothing added."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.streams import Detokenizer, StreamCodec

SILENCE, END = 0, 1  # of the codec's tokenizer


def pieces(codec: StreamCodec, ids: list[int]) -> list[str]:
    """What each push gives, then what the flush gives."""
    detokenizer = codec.detokenizer()
    return [*map(detokenizer.push, ids), detokenizer.flush()]


def byte_ids(codec: StreamCodec, data: bytes) -> list[int]:
    """One token a byte."""
    id_of = {codec.token_bytes(i): i for i in range(codec.vocab_size)}
    return [id_of[bytes([byte])] for byte in data]


@given(st.lists(st.integers(0, 399)))
def test_pieces_join_to_the_text(codec: StreamCodec, ids: list[int]) -> None:
    """Any ids whatever, invalid UTF-8 among them."""
    assert "".join(pieces(codec, ids)) == codec.text(ids)


@given(st.binary())
def test_any_bytes(codec: StreamCodec, data: bytes) -> None:
    ids = byte_ids(codec, data)
    assert "".join(pieces(codec, ids)) == data.decode("utf-8", errors="replace")
    assert codec.decode(ids) == data.decode("utf-8", errors="replace")


@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"])))
def test_never_half_a_character(codec: StreamCodec, text: str) -> None:
    """Byte by byte: what has come out is always a prefix, as long as it can be."""
    data, shown = text.encode(), b""
    *pushed, flushed = pieces(codec, byte_ids(codec, data))
    for i, piece in enumerate(pushed, start=1):
        assert "\ufffd" not in piece
        shown += piece.encode()
        assert shown == data[:i].decode("utf-8", errors="ignore").encode()
    assert flushed == ""
    assert shown == data


@given(st.text(), st.data())
def test_silence_says_nothing(codec: StreamCodec, text: str, data: st.DataObject) -> None:
    """Wherever silence falls, even inside a character, the text is the same."""
    with_silence = []
    for token_id in byte_ids(codec, text.encode()):
        with_silence += [SILENCE] * data.draw(st.integers(0, 2)) + [token_id]
    assert codec.text(with_silence) == text


@given(st.lists(st.text(min_size=1)))
def test_messages_are_lines(codec: StreamCodec, messages: list[str]) -> None:
    ids = [i for message in messages for i in (*codec.encode(message), END, SILENCE)]
    assert codec.text(ids) == "\n".join(messages)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], [""]),
        ([SILENCE, SILENCE], ["", "", ""]),
        ([END, END, "a"], ["", "", "a", ""]),  # an end of nothing separates nothing
        (["a", END], ["a", "", ""]),  # nor does an end before nothing
        (["a", END, END, SILENCE, "b"], ["a", "", "", "", "\nb", ""]),
        (["a", END, "b", END, "c"], ["a", "", "\nb", "", "\nc", ""]),
        ([b"\xf0", b"\x9f", SILENCE, b"\x99", b"\x82"], ["", "", "", "", "🙂", ""]),
        ([b"\xf0", b"\x9f"], ["", "", "\ufffd"]),  # stopped inside a character
        ([b"\xf0", END, "a"], ["", "\ufffd", "\na", ""]),  # ended inside one
        ([b"\xf0", "a"], ["", "\ufffda", ""]),
        ([b"\x82", "a"], ["\ufffd", "a", ""]),
        (["a", END, b"\xc3", b"\xa9"], ["a", "", "\n", "é", ""]),
    ],
)
def test_pieces(codec: StreamCodec, ids: list[int | str | bytes], expected: list[str]) -> None:
    def token_id(item: int | str | bytes) -> int:
        if isinstance(item, int):
            return item
        (found,) = byte_ids(codec, item if isinstance(item, bytes) else item.encode())
        return found

    assert pieces(codec, [token_id(item) for item in ids]) == expected


def test_two_streams_share_nothing(codec: StreamCodec) -> None:
    first, second = codec.detokenizer(), codec.detokenizer()
    one, two = (byte_ids(codec, text.encode()) for text in ("é", "ü"))
    shown = [first.push(one[0]), second.push(two[0]), first.push(one[1]), second.push(two[1])]
    assert shown == ["", "", "é", "ü"]


def test_without_control_tokens() -> None:
    letters = Detokenizer(lambda i: bytes([i]), None, ())
    assert "".join(map(letters.push, b"\x00\x01ab")) == "\x00\x01ab"


@given(st.text(min_size=1))
def test_every_piece_moves_on(codec: StreamCodec, text: str) -> None:
    """No text is held back beyond a character: at most three pushes in a row give nothing."""
    shown = [bool(piece) for piece in pieces(codec, byte_ids(codec, text.encode()))[:-1]]
    places = [-1, *(i for i, piece in enumerate(shown) if piece)]
    assert all(later - earlier <= 4 for earlier, later in pairwise(places))
    assert shown[-1]
