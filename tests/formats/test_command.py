"""`motet convert`, as somebody types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from motet.cli.convert import _Lines
from motet.cli.main import invoke
from motet.formats.gguf import read_gguf
from tests.formats.models import grid_logits


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = invoke(["convert", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_there_and_back(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, back = tmp_path / "model.gguf", tmp_path / "back"
    code, out, err = run(capsys, folder / "own", file, "--quant", "f32")
    assert (code, err) == (0, "")
    assert out.startswith(f"{file}: {file.stat().st_size:,} bytes in ")
    code, out, err = run(capsys, file, back, "--quant", "f32")
    assert (code, err) == (0, "")
    assert out.startswith(f"{back}: ")
    assert (grid_logits(back) == grid_logits(folder / "own")).all()


def test_what_is_taken_if_nothing_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, folder / "own", tmp_path / "a.gguf")[0] == 0
    assert read_gguf(tmp_path / "a.gguf").metadata["general.file_type"] == 2  # q4_0
    assert run(capsys, tmp_path / "a.gguf", tmp_path / "a")[0] == 0
    assert b'"F16"' in (tmp_path / "a" / "model.safetensors").read_bytes()[:300]
    embedding = ("--embedding", "f16")
    assert run(capsys, folder / "own", tmp_path / "b.gguf", *embedding)[0] == 0
    assert read_gguf(tmp_path / "b.gguf").tensors["token_embd.weight"].type == 1


def test_the_embedded_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "motet-tiny", tmp_path / "tiny.gguf", "--quant", "q8_0")[0] == 0
    assert read_gguf(tmp_path / "tiny.gguf").layout.names == (
        "User",
        "Output",
        "Think",
        "Skeptical",
    )


def test_refusals_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.gguf"
    run(capsys, folder / "own", file)
    (tmp_path / "text.txt").write_text("hello")
    for arguments, words in [
        ((folder / "own", file), "nothing is yet"),
        ((tmp_path / "no", tmp_path / "x"), "a path that exists"),
        ((tmp_path / "text.txt", tmp_path / "x"), "magic"),
        ((file, tmp_path / "x", "--quant", "q4_0"), "expected f16 or f32, got q4_0"),
        ((file, tmp_path / "x", "--embedding", "f16"), "--embedding"),
        ((folder / "own", tmp_path / "x", "--quant", "q3_k"), "q3_k"),
        ((folder / "own",), "DST"),
    ]:
        code, out, err = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("motet: ")
        assert err.count("\n") == 1
        assert words in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.gguf", "text.txt"]


def test_lines_say_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    lines = _Lines(Console(stderr=True), 4_000_000_000)
    lines.advance(500_000_000)
    now = 110.0
    lines.advance(500_000_000)
    now = 115.0
    lines.advance(1)
    assert capsys.readouterr().err == "motet: writing: 1.00 of 4.00 GB, 30 s left\n"
