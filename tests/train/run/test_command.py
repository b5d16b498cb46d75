"""`motet train` at the command line: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from motet.cli.main import invoke
from motet.formats.directory import read_directory
from motet.train.config import read_config
from motet.train.config.toml import to_toml
from tests.train.run import little


@pytest.fixture
def config(folder: Path) -> Path:
    path = folder / "config.toml"
    path.write_text(to_toml(little.config(folder)), "utf-8")
    return path


def test_what_print_config_prints_is_a_configuration(
    config: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["train", str(config), "--print-config", "--set", "seed=9"]) == 0
    (folder / "printed.toml").write_text(capsys.readouterr().out, "utf-8")
    assert read_config(folder / "printed.toml") == little.config(folder, seed=9)
    assert not (folder / "out").exists()


def test_from_a_configuration_to_a_model(
    config: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "elsewhere"
    assert invoke(["train", str(config), "--output", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out / 'last'}: step 8\n"
    assert "parameters learn" in captured.err
    assert read_directory(out / "last").layout == little.layout()
    assert invoke(["train", str(config), "--output", str(out), "--export"]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "optimizer.lrr=1"], "optimizer.lrr: expected one of name, lr"),
        (["--set", "data.train.0.path=nowhere"], "nowhere"),
        (["--set", "model.new.tokenizer=nowhere"], "nowhere"),
        (["--set", "log.report_to=['nobody']"], "log.report_to: expected "),
        (["--export"], "no checkpoint"),
        (["--set", 'objective.hidden=["Boss"]'], "unknown channel"),
    ],
)
def test_a_mistake_is_one_line(
    config: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["train", str(config), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith("motet: ")


def test_files_to_tokenize_with(config: Path, folder: Path) -> None:
    assert invoke(["train", str(config), "--prepare", str(folder / "files")]) == 0
    assert {p.name for p in (folder / "files").iterdir()} == {
        "tokenizer.json", "layout.json", "config.json",
    }  # fmt: skip


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_a_tracker_gets_the_figures(config: Path, folder: Path) -> None:
    assert invoke(["train", str(config), "--set", 'log.report_to=["tensorboard"]']) == 0
    (events,) = folder.glob("out/**/events.out.tfevents.*")
    assert b"train/spoken_loss/Output" in events.read_bytes()


def test_the_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from motet.cli.main import invoke; invoke(['train', '--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 0
    assert b"--print-config" in result.stdout
