"""The configuration: strict, every mistake names its key, and what is printed reads the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import MotetError, SettingError
from motet.train.config import TrainConfig, read_config
from motet.train.config.reading import config_from, override
from motet.train.config.toml import to_toml
from tests.train.run import little

HERE = Path("/somewhere")


def test_what_is_printed_reads_the_same(tmp_path: Path) -> None:
    config = little.config(
        HERE,
        name="a.b-c",
        objective={"hidden": ["Output", "Think"]},
        evaluation={"every_steps": 5, "data": ["x\\y", 'q"uote', "tab\t\x7f"]},
        export={"gguf": ["q8_0", "q4_0"]},
    )
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), "utf-8")
    assert read_config(path) == config
    assert to_toml(read_config(path)) == to_toml(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"lrr": 1.0}}, r"optimizer\.lrr: expected one of name, lr, .*got 'lrr'"),
        ({"sead": 3}, r"test: sead: expected one of output, name, seed"),
        ({"data": {"train": [{"pth": "x"}]}}, r"data\.train\.0\.path: expected a value, got none"),
        ({"data": {"train": [{"path": "x", "w": 1}]}}, r"data\.train\.0\.w: .*path, weight"),
        ({"data": {"train": []}}, r"data\.train: "),
        ({"seed": True}, "seed: "),
        ({"seed": "3"}, "seed: .*got '3'"),
        ({"optimizer": {"lr": 0}}, r"optimizer\.lr: "),
        ({"optimizer": {"betas": [0.9]}}, r"optimizer\.betas"),
        ({"schedule": {"num_steps": 3, "warmup_steps": 4}}, "may not exceed num_steps"),
        ({"model": {"start": "x"}}, "either start, a model directory, or the section new"),
        ({"model": {"new": {"tokenizer": "t", "layers": "cxa"}}}, r"model\.new\.layers"),
        ({"layout": {"channels": [{"name": "A", "role": "boss"}]}}, r"layout\.channels\.0\.role"),
        ({"data": {"sequences_at_once": 3}}, "multiple of data.sequences_at_once"),
        ({"method": {"kind": "lora"}}, "nothing to freeze"),
        ({"evaluation": {"every_steps": 3}}, "needs data or questions"),
        ({"evaluation": {"patience": 3}}, "patience needs every_steps"),
        ({"method": {"lora": {"dropout": 0.1}}}, "dropout must be 0 where experts learn"),
    ],
)
def test_a_mistake_names_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        little.config(HERE, **changes)


def test_overrides_reach_everything(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(to_toml(little.config(HERE)), "utf-8")
    changes = [
        "optimizer.lr=1e-4", "data.train.0.weight=2", "name=other", 'log.report_to=["x"]',
        "model.new.layers=aa", "evaluation.answer_after=####",
    ]  # fmt: skip
    config = read_config(path, changes, output="elsewhere")
    assert config.optimizer.lr == 1e-4
    assert config.data.train[0].weight == 2
    assert (config.name, config.output) == ("other", "elsewhere")
    assert config.log.report_to == ("x",)
    assert config.model.new is not None
    assert config.model.new.layers == "aa"
    assert config.evaluation.answer_after == "####"


@pytest.mark.parametrize("text", ["a", "=3", "a..b=1", "data.train.9.path=x", "data.train.x=1"])
def test_an_override_that_leads_nowhere_is_told(text: str) -> None:
    values = little.settings(HERE)
    with pytest.raises(SettingError, match="--set"):
        override(values, text)


@pytest.mark.parametrize("content", [b"a = ", b"\xff", b"a = 1979-05-27"])
def test_what_is_no_configuration_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(SettingError):
        read_config(path)
    with pytest.raises(SettingError, match="no such file"):
        read_config(tmp_path / "none.toml")


PLAIN = st.one_of(
    st.integers(-9, 9), st.floats(), st.booleans(), st.text(max_size=5), st.none(),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


@given(
    section=st.sampled_from([*TrainConfig.model_fields, "x"]),
    key=st.text(max_size=8),
    value=PLAIN,
    is_whole=st.booleans(),
)
def test_nonsense_is_an_error_of_ours(
    section: str, key: str, value: object, is_whole: bool
) -> None:
    values = little.settings(HERE)
    inner = values.get(section)
    if is_whole or not isinstance(inner, dict):
        values[section] = value
    else:
        inner[key] = value
    try:
        config = config_from(values, "fuzz")
    except MotetError:
        return
    assert config_from(tomllib.loads(to_toml(config)), "again") == config
