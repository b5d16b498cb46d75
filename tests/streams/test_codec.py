"""Text to tokens and back is the identity; text never becomes a control token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from motet.errors import InputError, TokenizerError
from motet.streams import StreamCodec
from motet.streams import codec as codec_module
from motet.streams.codec import TOKENIZER_FILE
from motet.streams.layout import SpecialToken, single_channel
from motet.streams.spelling import ByteLetters, Spelling
from tests.laws.checks import check_text
from tests.streams.bpe import SPECIAL, byte_level_bpe, changed, two_channels

HARD_TEXTS = [
    "",
    " ",
    "a",
    "\n\n\n",
    "  two  spaces  ",
    "tab\tand\r\nWindows\rMac\n",
    "def f(x):\n    return {'a': [x - 1, -x]}\n",
    "1234567890 3.14 -7 - 8 -- 9 - - -",
    " -",
    " - - -",
    "-",
    "e\u0301 is not \u00e9; \u212b is not \u00c5",  # NFC would join them
    "ﬁ ① ㎏ Ⅷ",  # NFKC would take them apart
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪👍🏽",
    "漢字とかな ไทย हिन्दी עִבְרִית العربية",
    "\u200b\u200d\ufeff\u00a0\u2028\u2029",
    "\x00\x01\x07\x1b[31m\x7f\x85",
    "\U0010ffff\ufffd\ufffe",
    "<silence><end><|im_start|>",
    "<silence> <end>\n<|im_end|>",
    "a<silence>b<end>c",
    "ﷺ" * 50,
]
ANY_TEXT = st.text()  # hypothesis draws no surrogates here
LIKELY_TEXT = st.lists(
    st.sampled_from(
        [*SPECIAL, " -", "-", " ", "\n", "\r\n", "é", "e\u0301", "🙂", "\u200d", "7", "a"]
    )
).map("".join)


@pytest.mark.parametrize("text", HARD_TEXTS, ids=ascii)
def test_hard_texts(text: str, codec: StreamCodec, word_codec: StreamCodec) -> None:
    for each in (codec, word_codec):
        check_text(each, text)
        assert not {each.silence_id, each.end_id} & set(each.encode(text))


@given(ANY_TEXT | LIKELY_TEXT)
def test_any_text(codec: StreamCodec, word_codec: StreamCodec, text: str) -> None:
    for each in (codec, word_codec):
        check_text(each, text)
        assert not {each.silence_id, each.end_id} & set(each.encode(text))


@given(ANY_TEXT | LIKELY_TEXT)
def test_any_text_with_the_gpt2_split(gpt2_codec: StreamCodec, text: str) -> None:
    check_text(gpt2_codec, text)


@pytest.fixture(scope="module")
def gpt2_codec() -> StreamCodec:
    tokenizer = byte_level_bpe(pattern=None)
    return StreamCodec(tokenizer, two_channels(tokenizer))


def test_it_does_merge(codec: StreamCodec) -> None:
    text = "The answer is 42"
    assert len(codec.encode(text)) < len(text)


def test_silence_word_is_spelled(tokenizer: Tokenizer, word_codec: StreamCodec) -> None:
    """A typed " -" is the tokens of its bytes; the token itself says nothing."""
    silence_id = tokenizer.encode(" -").ids[0]
    assert word_codec.silence_id == silence_id
    ids = word_codec.encode("5 - 3")
    assert silence_id in tokenizer.encode("5 - 3").ids
    assert silence_id not in ids
    assert word_codec.text(ids) == "5 - 3"
    assert word_codec.text([silence_id, *ids, silence_id]) == "5 - 3"


def test_silence_that_cannot_be_spelled(tokenizer: Tokenizer) -> None:
    """A silence token of one byte can't be typed, and is refused rather than lost."""
    codec = StreamCodec(tokenizer, two_channels(tokenizer, silence="-", end=None))
    check_text(codec, "no dash")
    with pytest.raises(InputError, match="'-'"):
        codec.encode("a-b")


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ude42\ud83d"])
def test_lone_surrogate(codec: StreamCodec, text: str) -> None:
    with pytest.raises(InputError, match="surrogates") as error:
        codec.encode(text)
    str(error.value).encode("utf-8")  # can be printed


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(normalizer={"type": "NFC"}),
        lambda s: s["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
        lambda s: s.update(
            truncation={"max_length": 3, "strategy": "LongestFirst", "stride": 0,
                        "direction": "Right"}
        ),
        lambda s: s.update(
            padding={"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
                     "pad_id": 0, "pad_type_id": 0, "pad_token": "<silence>"}
        ),
        lambda s: s.update(
            post_processor={
                "type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<end>", "type_id": 0}},
                           {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                         {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<end>": {"id": "<end>", "ids": [1], "tokens": ["<end>"]}},
            }
        ),
        lambda s: s["added_tokens"][2].update(lstrip=True, rstrip=True),
        lambda s: s["added_tokens"][2].update(lstrip=True, rstrip=True, special=False),
    ],
    ids=["NFC", "prefix space", "truncation", "padding", "template", "strip", "strip a word"],
)  # fmt: skip
def test_settings_that_change_text_are_off(
    tokenizer: Tokenizer, change: Callable[[dict[str, Any]], object]
) -> None:
    other = changed(tokenizer, change)
    codec = StreamCodec(other, two_channels(tokenizer))
    for text in (*HARD_TEXTS, "a  <|im_start|>  b"):
        check_text(codec, text)


def test_the_given_tokenizer_stays_as_it_was(tokenizer: Tokenizer) -> None:
    other = changed(tokenizer, lambda s: s.update(normalizer={"type": "NFC"}))
    StreamCodec(other, two_channels(tokenizer))
    assert isinstance(other.normalizer, normalizers.NFC)


def unfit(tokenizer: Tokenizer, kind: str) -> Tokenizer:
    if kind == "normalizer":
        return changed(tokenizer, lambda s: s.update(normalizer={"type": "Lowercase"}))
    if kind == "decoder":
        return changed(tokenizer, lambda s: s.update(decoder={"type": "Metaspace",
            "replacement": "▁", "prepend_scheme": "always", "split": True}))  # fmt: skip
    if kind == "no decoder":
        return changed(tokenizer, lambda s: s.update(decoder=None))
    if kind == "loses spaces":

        def drop_spaces(settings: dict[str, Any]) -> None:
            split = settings["pre_tokenizer"]["pretokenizers"][0]
            split.update(pattern={"String": " "}, behavior="Removed")

        return changed(tokenizer, drop_spaces)

    def without_probe(settings: dict[str, Any]) -> None:
        drop_letter(settings, "<")

    return changed(tokenizer, without_probe)


def drop_letter(settings: dict[str, Any], letter: str) -> None:
    """No token has the byte of this letter."""
    model = settings["model"]
    model["vocab"] = {t: i for t, i in model["vocab"].items() if letter not in t}
    model["merges"] = [merge for merge in model["merges"] if letter not in "".join(merge)]


@pytest.mark.parametrize(
    "kind", ["normalizer", "decoder", "no decoder", "loses spaces", "lacks a byte"]
)
def test_unfit_tokenizer(tokenizer: Tokenizer, kind: str) -> None:
    with pytest.raises(TokenizerError):
        StreamCodec(unfit(tokenizer, kind), two_channels(tokenizer))


def test_a_rare_byte_may_be_missing(tokenizer: Tokenizer) -> None:
    """Published vocabularies lack some; a text that needs them is refused, not changed."""
    for letter, lost in [("\u0100", "\0"), ("\xf1", "\U00040000")]:
        codec = StreamCodec(
            changed(tokenizer, lambda s, letter=letter: drop_letter(s, letter)),
            two_channels(tokenizer),
        )
        check_text(codec, "Grüße 🙂 漢字\r\n")
        with pytest.raises(InputError) as refusal:
            codec.encode(f"a{lost}b")
        assert f"got {lost!r}" in str(refusal.value)


def pieces(*, prefix: bool) -> Tokenizer:
    """A SentencePiece model as transformers converts it."""
    units = [f"<0x{byte:02X}>" for byte in range(256)]
    words = ["<unk>", "<s>", *units, "▁", "h", "e", "he", "▁he", "<", "s", ">", "é"]
    merges = [("h", "e"), ("▁", "he")]
    model = models.BPE(
        {w: i for i, w in enumerate(words)}, merges, unk_token="<unk>", fuse_unk=True,
        byte_fallback=True,
    )  # fmt: skip
    tokenizer = Tokenizer(model)
    steps = [normalizers.Prepend("▁")] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    undo = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*undo, *([decoders.Strip(" ", 1, 0)] if prefix else [])])
    tokenizer.add_special_tokens(["<s>"])
    return tokenizer


@pytest.mark.parametrize("prefix", [True, False])
def test_pieces(*, prefix: bool) -> None:
    codec = StreamCodec(pieces(prefix=prefix), single_channel(SpecialToken(1, "<s>")))
    for text in [*HARD_TEXTS, "he he", " he", "▁", "a ▁▁ b", "<s>", "<0x41>", "<unk>"]:
        check_text(codec, text)
    he = codec.encode("he he")
    assert [codec.token_bytes(i) for i in he] == [b"he", b" he"]
    assert 1 not in codec.encode("<s>")
    assert codec.decode([1, *he]) == "<s>he he"


@given(ANY_TEXT | LIKELY_TEXT)
def test_any_text_in_pieces(text: str) -> None:
    check_text(StreamCodec(pieces(prefix=True), single_channel(None)), text)


def test_pieces_without_all_bytes() -> None:
    def without_f0(settings: dict[str, Any]) -> None:
        del settings["model"]["vocab"]["<0xC3>"]

    codec = StreamCodec(changed(pieces(prefix=True), without_f0), single_channel(None))
    check_text(codec, "he é he")  # é has a piece
    with pytest.raises(InputError, match="got 'ü'"):
        codec.encode("he é ü")


def test_pieces_without_fallback_are_refused() -> None:
    def without(settings: dict[str, Any]) -> None:
        settings["model"]["byte_fallback"] = False

    with pytest.raises(TokenizerError, match="pieces with byte fallback"):
        StreamCodec(changed(pieces(prefix=True), without), single_channel(None))


def test_word_level_tokenizer_is_refused() -> None:
    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(TokenizerError, match="byte-level"):
        StreamCodec(words, single_channel(None))


def test_lacks_the_silence_token(tokenizer: Tokenizer) -> None:
    layout = two_channels(tokenizer)
    without = Tokenizer(models.BPE())
    without.add_tokens([AddedToken("other")])
    without.decoder = decoders.ByteLevel()
    with pytest.raises(TokenizerError, match=r"silence token 0.*'<silence>'.*belongs"):
        StreamCodec(without, layout)


@pytest.mark.parametrize("meaning", ["silence", "end"])
@pytest.mark.parametrize("token_id", [5, 10_000])
def test_control_token_of_another_id(tokenizer: Tokenizer, meaning: str, token_id: int) -> None:
    layout = two_channels(tokenizer)
    token = replace(getattr(layout, meaning), id=token_id)
    with pytest.raises(TokenizerError, match=f"{meaning} token {token_id}"):
        StreamCodec(tokenizer, replace(layout, **{meaning: token}))


@pytest.mark.parametrize("token_id", [-1, 400, 2**31, 2**70])
def test_no_such_token(codec: StreamCodec, token_id: int) -> None:
    with pytest.raises(TokenizerError, match=f"0 to {codec.vocab_size - 1}, got {token_id}"):
        codec.decode([token_id])


def test_every_token_has_bytes(codec: StreamCodec) -> None:
    assert codec.vocab_size == 400
    assert codec.token_bytes(codec.silence_id) == b"<silence>"  # type: ignore[arg-type]
    single = {codec.token_bytes(i) for i in range(codec.vocab_size)}
    assert single >= {bytes([byte]) for byte in range(256)}


def test_numpy_ids(codec: StreamCodec) -> None:
    column = np.array([codec.silence_id, *codec.encode("hé 🙂"), codec.end_id], np.int32)
    assert codec.text(column) == "hé 🙂"
    assert codec.decode(column) == "<silence>hé 🙂<end>"


def test_token_of_no_bytes(tokenizer: Tokenizer) -> None:
    alien = changed(tokenizer, lambda s: s["model"]["vocab"].update({"漢字": 400}))
    with pytest.raises(TokenizerError, match=r"token 400.*byte-level letters, got 漢字"):
        StreamCodec(alien, two_channels(tokenizer)).decode([400])


def test_load(tokenizer: Tokenizer, tmp_path: Path) -> None:
    layout = two_channels(tokenizer)
    with pytest.raises(TokenizerError, match="no such file"):
        StreamCodec.load(tmp_path, layout)
    tokenizer.save(str(tmp_path / TOKENIZER_FILE))
    check_text(StreamCodec.load(tmp_path, layout), "from disk 🙂")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[", b"\xff\x00", b'{"version": "1.0"}', b'{"model": {"type": "X"}}']
)
def test_broken_file(tokenizer: Tokenizer, content: bytes, tmp_path: Path) -> None:
    (tmp_path / TOKENIZER_FILE).write_bytes(content)
    with pytest.raises(TokenizerError, match=TOKENIZER_FILE):
        StreamCodec.load(tmp_path, two_channels(tokenizer))


def test_truncated_file(tokenizer: Tokenizer, tmp_path: Path) -> None:
    content = tokenizer.to_str().encode()
    for size in range(0, len(content), 997):
        (tmp_path / TOKENIZER_FILE).write_bytes(content[:size])
        with pytest.raises(TokenizerError):
            StreamCodec.load(tmp_path, two_channels(tokenizer))


class TestMutants:
    """Law 17 turns red when the codec lets the tokenizer change, add or match text."""

    def keep(self, monkeypatch: pytest.MonkeyPatch, **encode_special: bool) -> None:
        def exact(tokenizer: Tokenizer, where: str) -> tuple[Tokenizer, Spelling]:
            kept = Tokenizer.from_str(tokenizer.to_str())
            kept.encode_special_tokens = encode_special.get("encode_special", True)
            return kept, ByteLetters()

        monkeypatch.setattr(codec_module, "_exact", exact)
        monkeypatch.setattr(codec_module, "_PROBE", "")

    def test_normalizer_kept(self, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keep(monkeypatch)
        nfc = changed(tokenizer, lambda s: s.update(normalizer={"type": "NFC"}))
        with pytest.raises(AssertionError, match=r"^law 17: .*came back"):
            check_text(StreamCodec(nfc, two_channels(tokenizer)), "e\u0301")

    def test_prefix_space(self, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.keep(monkeypatch)
        prefixed = changed(
            tokenizer,
            lambda s: s["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True),
        )
        with pytest.raises(AssertionError, match=r"^law 17: .*came back"):
            check_text(StreamCodec(prefixed, two_channels(tokenizer)), "a")

    def test_special_tokens_matched(
        self, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.keep(monkeypatch, encode_special=False)
        monkeypatch.setattr(StreamCodec, "_spell", lambda self, token_id: [token_id])
        with pytest.raises(AssertionError, match=r"^law 17: .*was spoken"):
            check_text(StreamCodec(tokenizer, two_channels(tokenizer)), "a<silence>b")

    def test_silence_word_not_spelled(
        self, word_codec: StreamCodec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StreamCodec, "_spell", lambda self, token_id: [token_id])
        with pytest.raises(AssertionError, match=r"^law 17: .*was spoken"):
            check_text(word_codec, "5 - 3")
