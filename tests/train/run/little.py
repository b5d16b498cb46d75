"""Everything that a training needs, as small as it can be: tokenizer, grids, base model, config."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from motet.data.dataset import MadeBy
from motet.data.grids import GridWriter, TokenGrid
from motet.data.tiny.tokenizer import train_tokenizer
from motet.runtime.torch.checkpoint import save_model
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken
from motet.train.config import TrainConfig
from motet.train.config.reading import config_from
from motet.train.start import open_start

NAMES = (("User", "input"), ("Output", "output"), ("Think", "thought"))


@cache
def tokenizer_text() -> str:
    texts = [f"{n} apples and {n * 7} pears make {n * 8}" for n in range(60)]
    text: str = train_tokenizer(texts, 300).to_str(pretty=True)
    return text


@cache
def vocab_size() -> int:
    return int(small_tokenizer().get_vocab_size())


def layout() -> Layout:
    channels = tuple(Channel(name, Role(role)) for name, role in NAMES)
    return Layout(
        channels, SpecialToken(0, "<|silence|>"), SpecialToken(1, "<|end|>"), ConvMode.COLUMN, True
    )


def sha256() -> str:
    return hashlib.sha256(tokenizer_text().encode("utf-8")).hexdigest()


def grid(number: int, rng: Random) -> TokenGrid:
    """The User says some tokens; Output says them backwards, Think the first one."""
    said = [rng.randrange(2, 60) for _ in range(rng.randrange(2, 9))]
    size = len(said)
    tokens = np.zeros((2 * size + 4, 3), np.int32)
    tokens[1 : size + 1, 0] = said
    tokens[size + 1, 0] = 1
    tokens[size + 2 : 2 * size + 2, 1] = said[::-1]
    tokens[2 * size + 2, 1] = 1
    tokens[3:5, 2] = (said[0], 1)
    return TokenGrid(str(number), tokens)


def write_dataset(path: Path, num_conversations: int = 60, seed: int = 0) -> Path:
    rng = Random(seed)
    with GridWriter(path, layout(), vocab_size(), sha256(), MadeBy(command=("test",))) as writer:
        for number in range(num_conversations):
            writer.write(grid(number, rng))
    (path / "tokenizer.json").write_text(tokenizer_text(), "utf-8")
    return path


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    """Values of a configuration that trains in seconds; `changes` replace keys of sections."""
    values: dict[str, Any] = {
        "output": str(folder / "out"),
        "seed": 3,
        "model": {
            "new": {
                "tokenizer": str(folder / "data/tokenizer.json"), "layers": "cac", "width": 16,
                "num_heads": 2, "num_kv_heads": 1, "dense_width": 16, "num_experts": 4,
                "expert_width": 8, "max_rows": 128,
            }
        },
        "layout": {"channels": [{"name": name, "role": role} for name, role in NAMES]},
        "data": {
            "train": [{"path": str(folder / "data")}], "rows_per_sequence": 32,
            "sequences_per_step": 4, "sequences_at_once": 4, "pool_conversations": 25,
        },
        "objective": {"silence_weight": 0.3},
        "optimizer": {"lr": 3e-3},
        "schedule": {"num_steps": 8, "warmup_steps": 2, "decay_steps": 2},
        "checkpoints": {"every_steps": 3},
        "log": {"every_steps": 1},
    }  # fmt: skip
    for key, change in changes.items():
        values[key] = values.get(key, {}) | change if isinstance(change, dict) else change
    return values


def config(folder: Path, **changes: Any) -> TrainConfig:
    return config_from(settings(folder, **changes), "test")


def write_model(folder: Path, target: Path, **changes: Any) -> Path:
    """An own model directory with random weights, as a training would begin."""
    start = open_start(config(folder, **changes))
    target.mkdir(parents=True)
    save_model(start.model, target)
    (target / "tokenizer.json").write_bytes(start.tokenizer)
    return target


def lines(out: Path) -> list[dict[str, Any]]:
    """The lines of figures of a run."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]


TIMES = ("rows_per_s", "cells_per_s", "spoken_tok_per_s", "seconds", "memory_bytes")


def figures(out: Path) -> list[dict[str, Any]]:
    """The lines of figures without what depends on the clock."""
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines(out)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def small_tokenizer() -> Tokenizer:
    return Tokenizer.from_str(tokenizer_text())
