"""Small vocabularies as GGUF files hold them, and files of a model that has them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import PreTokenizer

from motet.formats.ggml_types import GGMLType
from motet.formats.header import Value
from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.formats.metadata import write_hyperparameters
from motet.formats.pretokenizers import PRE_TOKENIZERS
from motet.formats.vocabulary import PREFIX, TokenType
from motet.formats.writer import NewTensor, write_gguf

SPACE = "\u2581"
BEGIN, END, TOOL = "<|begin|>", "<|im_end|>", "<tool>"
TEXTS = [
    "", " ", "  ", "\n", "\n\n", " \n \n", "\t\tx", "Hello world", " Hello  world ",
    "I'll don't WE'VE It'S o'clock 'tis", "12345 1,000.25 3x7=21 ٣٤٥ Ⅷ½", "a1b22c333d4444",
    "café naïve Ünïcødé Straße", "日本語と漢字、한국어 문장", "Привет, мир! Γειά σου",
    "camelCase HTTPServer XMLHttpRequest iPhone McDonald ÀÉÎ", "🙂🙃 👩‍👩‍👧 ✨x✨",
    "def f(x):\n    return x**2  # comment\n\n\n", "\r\nwindows\r\n lines\r", "$a+b<=c>^~|`d`",
    "!!! ... ---***///\\\\", "foo_bar-baz.qux@mail.com https://a.b/c?d=e&f",
    "tab\tand\u00a0nbsp\u2003em", "(parens) [brackets] {braces} \"quotes\" 'single'",
    " - – — minus", "x\ny\n\nz\n \n", f"special {END} and {TOOL} here", "a" * 50,
    " " * 20 + "end" + " " * 20, "\x00\x01control\x7f", "1st 2nd 3rd 4th", "ALL CAPS TEXT HERE",
    "mixed漢字and123numbers", "…“quoted”…",
]  # fmt: skip
MARKS = ["e\u0301 a\u0308 n\u0303o", "ภาษาไทย", "हिन्दी देवनागरी"]


def corpus() -> list[str]:
    return [text for text in TEXTS + MARKS for _ in range(3)]


@cache
def byte_level(name: str, *, add_begin: bool | None = None) -> dict[str, Value]:
    """Metadata of a vocabulary that was trained on the texts under the rule called `name`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _pre_tokenizer(name)
    trainer = trainers.BpeTrainer(
        vocab_size=500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    vocab = tokenizer.get_vocab(with_added_tokens=False)
    words = sorted(vocab, key=vocab.__getitem__)
    tokens = [BEGIN, END, TOOL, *words, "Ġlonely", "漢"]  # the last two no merge leads to
    types = np.full(len(tokens), TokenType.NORMAL, np.int32)
    types[:3] = TokenType.CONTROL, TokenType.CONTROL, TokenType.USER_DEFINED
    types[-1] = TokenType.UNUSED
    merges = _merges(tokenizer)
    metadata: dict[str, Value] = {
        PREFIX + "model": "gpt2",
        PREFIX + "pre": name,
        PREFIX + "tokens": tokens,
        PREFIX + "token_type": types,
        PREFIX + "merges": merges,
        PREFIX + "bos_token_id": 0,
        PREFIX + "eos_token_id": 1,
    }
    if add_begin is not None:
        metadata[PREFIX + "add_bos_token"] = add_begin
    return metadata


def _pre_tokenizer(name: str) -> PreTokenizer:
    bare = json.loads(Tokenizer(models.BPE()).to_str())
    bare["pre_tokenizer"] = PRE_TOKENIZERS[name].to_json()
    return Tokenizer.from_str(json.dumps(bare)).pre_tokenizer


def _merges(tokenizer: Tokenizer) -> list[str]:
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]


def sentence_piece(*, space_prefix: bool = True) -> dict[str, Value]:
    """Metadata of a vocabulary of pieces with scores, and a token for every byte."""
    pieces = [
        "he", "l", "lo", "hello", "w", "o", "r", "ld", "world", "wor", "or", "in", "ing", "the",
        "t", "h", "e", "a", "b", "c", "d", "x", "y", "i", "n", "g", ".", ",", "1", "2", "3", "é",
        "漢", "字", "漢字", SPACE, SPACE * 2, SPACE * 4, f"{SPACE}the", f"{SPACE}t", f"{SPACE}w",
        f"{SPACE}world", f"{SPACE}hello", "aa", "aaa", "aaaa", f"{SPACE}a", "an", "and", "nd",
        f"{SPACE}and", "L", "H", "E",
    ]  # fmt: skip
    specials = ["<unk>", "<s>", "</s>"]
    units = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = [*specials, *units, *pieces]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    types += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * len(pieces)
    order = np.random.default_rng(0).permutation(len(pieces))
    scores = [*[0.0] * 259, *(-float(place) for place in order)]
    return {
        PREFIX + "model": "llama",
        PREFIX + "tokens": tokens,
        PREFIX + "scores": np.array(scores, np.float32),
        PREFIX + "token_type": np.array(types, np.int32),
        PREFIX + "bos_token_id": 1,
        PREFIX + "eos_token_id": 2,
        PREFIX + "unknown_token_id": 0,
        PREFIX + "add_space_prefix": space_prefix,
    }


def write_model(path: Path, tokenizer: dict[str, Value], *, rope_factors: bool = False) -> Path:
    """A file of a model of one layer of zeros with this tokenizer."""
    tokens = tokenizer[PREFIX + "tokens"]
    assert isinstance(tokens, list)
    numbers = Hyperparameters(
        architecture=Architecture.LLAMA, vocab_size=len(tokens), context_rows=64, width=8,
        num_heads=1, head_width=8, num_kv_heads=(1,), ffn_width=8, norm_eps=1e-5, rope_theta=1e4,
    )  # fmt: skip

    def zeros(name: str, shape: tuple[int, ...]) -> NewTensor:
        return NewTensor(name, GGMLType.F32, shape, lambda: [np.zeros(shape, np.float32)])

    metadata = {"general.architecture": "llama", **write_hyperparameters(numbers), **tokenizer}
    shapes = numbers.shapes() | ({"rope_freqs.weight": (4,)} if rope_factors else {})
    with path.open("wb") as file:
        write_gguf(file, metadata, [zeros(*item) for item in shapes.items()])
    return path
