"""`motet inspect`: what it says about tiny models, word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from motet.runtime.native.kernels import best_level
from motet.streams.layout import Channel, Role
from tests.cli.conftest import Motet
from tests.cli.models import own_layout, write_own


def said(motet: Motet, model: Path, *arguments: object) -> str:
    result = motet("inspect", model, *arguments)
    assert (result.code, result.err) == (0, "")
    assert all(line == line.rstrip() for line in result.out.splitlines())
    out = result.out.replace(str(model), "MODEL")
    out = re.sub(r"(\n\nDevices\n)(  .+\n)+", r"\1  THOSE HERE\n", out)
    return out.replace(f"compiled for {best_level().name}", "compiled for HERE")


def test_own(motet: Motet, own: Path) -> None:
    assert (
        said(motet, own)
        == """\
Architecture
  directory     MODEL
  kind          own
  architecture  lfm2moe
  layers        2 short conv, 2 attention
  width         32
  heads         4 query, 2 KV
  vocabulary    400 tokens
  context       600 rows
  experts       8, 2 a cell

Layout
  channel 0          User (input)
  channel 1          Output (output)
  channel 2          Think (thought)
  silence            '<silence>' (id 0)
  end                '<end>' (id 1)
  conv mode          column
  channel embedding  yes
  opening rows       1

Cost
  parameters             70,008
  weights                280,032 bytes (280 kB) as float32
  a row reads            217,824 bytes (218 kB) of weights
  a row computes         114,280 multiply-adds with weights
  experts a row touches  4.6 a layer (expected)
  a session of 600 rows  294,912 bytes (295 kB), keys as f16

Products with weights, in the native runtime
  F32 by own kernels  13 (compiled for HERE)
  F32 by ggml         3 (depth 48 is not a multiple of 32); 9 (depth 16 is not a multiple of 32); \
3 (8 rows are not a multiple of 16)

Devices
  THOSE HERE
"""
    )


def test_published(motet: Motet, published: Path) -> None:
    assert (
        said(motet, published, "--dtype", "bfloat16")
        == """\
Architecture
  directory     MODEL
  kind          published
  architecture  lfm2moe
  layers        2 short conv, 2 attention
  width         32
  heads         4 query, 2 KV
  vocabulary    400 tokens
  context       600 rows
  experts       8, 2 a cell

Layout
  channel 0          User (input)
  channel 1          Output (output)
  channel 2          Think (thought)
  channel 3          Skeptical (thought)
  silence            ' -' (id 261)
  end                none
  conv mode          column (assumed, not stated; --text measures it)
  channel embedding  yes
  opening rows       1

Cost
  parameters             70,040
  weights                140,080 bytes (140 kB) as bfloat16
  a row reads            116,752 bytes (117 kB) of weights
  a row computes         156,768 multiply-adds with weights
  experts a row touches  5.5 a layer (expected)
  a session of 600 rows  393,216 bytes (393 kB), keys as f16

Products with weights, in the native runtime
  BF16 by own kernels  13 (compiled for HERE)
  BF16 by ggml         3 (depth 48 is not a multiple of 32); 9 (depth 16 is not a multiple of 32)
  F32 by ggml          3 (8 rows are not a multiple of 16)

Devices
  THOSE HERE
"""
    )


def test_stock(motet: Motet, stock: Path) -> None:
    assert (
        said(motet, stock)
        == """\
Architecture
  directory     MODEL
  kind          stock
  architecture  qwen3
  layers        0 short conv, 2 attention
  width         32
  heads         4 query, 2 KV
  vocabulary    400 tokens
  context       600 rows

Layout
  channel 0          Output (output)
  silence            none
  end                '<end>' (id 1)
  conv mode          column or row_boundary, they are the same here
  channel embedding  no
  opening rows       0

Cost
  parameters             41,152
  weights                164,608 bytes (165 kB) as float32
  a row reads            113,408 bytes (113 kB) of weights
  a row computes         28,352 multiply-adds with weights
  a session of 600 rows  76,800 bytes (76.8 kB), keys as f16

Products with weights, in the native runtime
  F32 by own kernels  9 (compiled for HERE)
  F32 by ggml         6 (depth 48 is not a multiple of 32)

Devices
  THOSE HERE
"""
    )


def test_own_by_hand() -> None:
    """The figures of `test_own`, worked out from the shape of the model: D 32, V 400, C 3."""
    D, V, C = 32, 400, 3
    conv = 3 * D * D + 3 * D + D * D
    attention = D * D + 2 * 16 * D + D * D + 2 * 8
    dense_ffn = 3 * D * 48
    expert = 3 * D * 16
    router = 8 * D + 8
    norms = 4 * 2 * D + D
    dense = 2 * conv + 2 * attention + dense_ffn + 3 * router + norms + C * D
    assert V * D + dense + 3 * 8 * expert == 70_008
    touched = 8 * (1 - (3 / 4) ** C)
    assert round(dense + V * D + 3 * expert * touched) * 4 == 217_824
    assert C * (dense + 3 * 2 * expert) + 2 * V * D == 114_280
    rows, halves, floats = 600, 2, 4
    cache = rows * C * 2 * 2 * 16 * halves
    ring, snapshots = 2 * 64 * C * D * floats, 10 * 2 * 2 * C * D * floats
    assert cache + ring + snapshots == 294_912


def test_a_text_is_measured_under_both_modes(motet: Motet, own: Path, tmp_path: Path) -> None:
    by_text = said(motet, own, "--text", "hello world")
    file = tmp_path / "text.txt"
    file.write_text("hello world", "utf-8")
    assert said(motet, own, "--text-file", file) == by_text
    *_, measured = by_text.split("\n\n")
    title, *rows = measured.splitlines()
    assert title == "Conv mode, by the loss of the text on Output"
    assert [row.split()[0] for row in rows] == [
        "column", "row_boundary", "tokens", "difference", "verdict",
    ]  # fmt: skip
    assert rows[4] == "  verdict       undecided, within two standard errors: give a longer text"


def test_where_there_is_nothing_to_decide(
    motet: Motet, stock: Path, published: Path, tmp_path: Path
) -> None:
    single = write_own(tmp_path / "single", own_layout((Channel("Output", Role.OUTPUT),)))
    text = ("--text", "hello world")
    assert said(motet, single, *text).endswith("verdict  one channel: both modes are the same\n")
    assert said(motet, stock, *text).endswith("verdict  one channel: both modes are the same\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--text", "a", "--text-file", "b"), "expected one of them, got both"),
        (("--text-file", "nowhere.txt"), "--text-file: expected a UTF-8 text file"),
        (("--text", ""), "text: expected 2 to 599 tokens, got 0"),
        (("--text", "a"), "text: expected 2 to 599 tokens, got 1"),
        (("--text", "a b " * 500), "text: expected 2 to 599 tokens, got"),
        (("--dtype", "float8"), "--dtype"),
        (("another",), "unexpected extra argument"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    motet: Motet, own: Path, arguments: tuple[str, ...], reason: str
) -> None:
    assert reason in motet("inspect", own, *arguments).complaint


def test_a_text_file_that_is_no_text(motet: Motet, own: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    assert "UTF-8" in motet("inspect", own, "--text-file", tmp_path / "x").complaint
    assert "directory" in motet("inspect", own, "--text-file", tmp_path).complaint


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": None},
        {"num_key_value_heads": "two"},
        {"num_experts_per_tok": 0},
        {"num_experts_per_tok": None},
    ],
    ids=str,
)
def test_a_config_that_lacks_something(
    motet: Motet, own: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    for file in own.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((own / "config.json").read_text("utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | change), "utf-8")
    (name,) = change
    assert name in motet("inspect", tmp_path).complaint


def test_no_model_at_all(motet: Motet, tmp_path: Path) -> None:
    assert "got 'nowhere'" in motet("inspect", "nowhere").complaint
    assert "config.json" in motet("inspect", tmp_path).complaint
