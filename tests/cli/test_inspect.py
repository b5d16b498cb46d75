"""`motet inspect`: what it says about tiny models, word for word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from motet.streams.layout import Channel, Role
from tests.cli.conftest import Motet
from tests.cli.models import own_layout, write_own


def said(motet: Motet, model: Path, *arguments: object) -> str:
    result = motet("inspect", model, *arguments)
    assert (result.code, result.err) == (0, "")
    assert all(line == line.rstrip() for line in result.out.splitlines())
    return result.out.replace(str(model), "MODEL")


def test_own(motet: Motet, own: Path) -> None:
    assert (
        said(motet, own)
        == """\
"""
    )


def test_published(motet: Motet, published: Path) -> None:
    assert (
        said(motet, published, "--dtype", "bfloat16")
        == """\
"""
    )


def test_stock(motet: Motet, stock: Path) -> None:
    assert (
        said(motet, stock)
        == """\
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
    assert V * D + dense + 3 * 8 * expert == 68_512
    touched = 8 * (1 - (3 / 4) ** C)
    assert round(dense + V * D + 3 * expert * touched) * 4 == 0
    assert C * (dense + 3 * 2 * expert) + 2 * V * D == 0
    assert C * 2 * 2 * 16 * 4 == 768
    assert 2 * 2 * D * C * 4 == 1536


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
        {"hidden_size": None},
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
