"""A configuration as TOML again, so that what a run used can be read and used as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from motet.train.config.root import TrainConfig

__all__ = ["to_toml"]


def to_toml(config: TrainConfig) -> str:
    """Every key with its value, defaults included; what is None is left out."""
    values = config.model_dump(mode="json", exclude_none=True)
    return "\n".join(_table(values, ())) + "\n"


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    if path and (lines or len(plain) == len(values)):
        lines = ["", f"[{'.'.join(path)}]", *lines]
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _table(value, (*path, key))
    return lines


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    # JSON spells texts, whole numbers and truth as TOML does, but for one control character
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
