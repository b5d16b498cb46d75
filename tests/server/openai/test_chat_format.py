"""What models say of chats: in a directory's files, in the metadata of a GGUF file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.formats.chat import ChatFormat, read_chat_format
from motet.formats.directory import Kind, ModelDirectory
from motet.formats.gguf import GGUFModel
from motet.streams.layout import SpecialToken, single_channel


def directory(path: Path, config: dict[str, Any], **files: Any) -> ModelDirectory:
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    layout = single_channel(SpecialToken(7, "</s>"))
    return ModelDirectory(path, Kind.STOCK, config, layout, True, {})


def test_a_directory(tmp_path: Path) -> None:
    found = read_chat_format(
        directory(
            tmp_path,
            {"eos_token_id": 7},
            tokenizer_config={
                "bos_token": "<s>",
                "eos_token": {"content": "</s>", "lstrip": False},
                "pad_token": None,
                "chat_template": "{{ messages }}",
            },
            generation_config={"eos_token_id": [7, 9, True]},
        )
    )
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    assert found == ChatFormat("{{ messages }}", special, frozenset([7, 9]))


@pytest.mark.parametrize("content", ["{", "[]", '"x"'])
def test_a_directory_that_says_nothing(tmp_path: Path, content: str) -> None:
    for name in ("tokenizer_config.json", "generation_config.json"):
        (tmp_path / name).write_text(content, "utf-8")
    assert read_chat_format(directory(tmp_path, {})) == ChatFormat(None, {}, frozenset([7]))


def test_a_file() -> None:
    tokens = ["<unk>", "<s>", "</s>", "<|im_end|>", "<|eot_id|>", "a"]
    metadata = {
        "tokenizer.chat_template": "{{ messages }}",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array([2, 3, 3, 3, 1, 1], np.int32),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 99,
    }
    found = read_chat_format(GGUFModel(Path("m.gguf"), "llama", metadata, {}))
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    ends = frozenset([2, 3])  # `<|eot_id|>` is an ordinary word here
    assert found == ChatFormat("{{ messages }}", special, ends)


def test_a_file_that_says_nothing() -> None:
    assert read_chat_format(GGUFModel(Path("m.gguf"), "llama", {}, {})) == ChatFormat()
