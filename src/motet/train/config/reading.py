"""From a TOML file and `a.b=c` overrides to a configuration; every mistake names its key."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from motet.errors import SettingError
from motet.train.config.root import TrainConfig

__all__ = ["config_from", "override", "read_config"]


def read_config(
    path: Path, overrides: Sequence[str] = (), *, output: str | None = None
) -> TrainConfig:
    """The configuration in `path` with `overrides` (`a.b=c`, c as TOML or else a plain string).

    output: in place of the one that the file says. SettingError names what is unknown or wrong,
    and what is allowed there.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingError("configuration file", expected=str(path), got="no such file") from None
    except OSError as error:
        raise SettingError("configuration file", expected=str(path), got=error.strerror) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), expected="TOML", got=error) from None
    for text in overrides:
        override(values, text)
    if output is not None:
        values["output"] = output
    return config_from(values, str(path))


def override(values: dict[str, Any], text: str) -> None:
    """Change `values` in place as `text`, `a.b=c`, says; a number is a place in a list."""
    key, equals, literal = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise SettingError("--set", expected="KEY=VALUE, such as optimizer.lr=1e-4", got=text)
    try:
        value = tomllib.loads(f"value = {literal}")["value"]
    except tomllib.TOMLDecodeError:
        value = literal
    inner: Any = values
    for part in parts[:-1]:
        if isinstance(inner, dict):
            inner = inner.setdefault(part, {})
        else:
            inner = inner[_place(inner, part, text)]
    if isinstance(inner, dict):
        inner[parts[-1]] = value
    else:
        inner[_place(inner, parts[-1], text)] = value


def _place(values: Any, part: str, text: str) -> int:
    if not isinstance(values, list) or not part.isdecimal() or int(part) >= len(values):
        got = f"{text}, where {part} is none"
        raise SettingError("--set", expected="keys of sections, or places of lists", got=got)
    return int(part)


def config_from(values: Mapping[str, Any], where: str) -> TrainConfig:
    """Plain values, strictly; `where` names their source in errors."""
    try:
        content = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SettingError(
            where, expected="numbers, texts, true or false, lists and sections", got=error
        ) from None
    try:
        return TrainConfig.model_validate_json(content)
    except ValidationError as error:
        raise _explained(error, where) from None


def _explained(error: ValidationError, where: str) -> SettingError:
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if part != "function-after"]
    key = ".".join(map(str, place))
    what = f"{where}: {key}" if key else where
    if first["type"] == "extra_forbidden":
        known = _keys_at(place[:-1])
        return SettingError(what, expected=f"one of {', '.join(known)}", got=repr(place[-1]))
    if first["type"] == "missing":
        return SettingError(what, expected="a value", got="none")
    if first["type"] == "value_error":
        return SettingError(f"{what}: {first['msg'].removeprefix('Value error, ')}")
    return SettingError(what, expected=first["msg"].lower(), got=repr(first["input"])[:60])


def _keys_at(place: Sequence[str | int]) -> list[str]:
    """The keys that the section at `place` has."""
    section: Any = TrainConfig
    for part in place:
        if isinstance(part, int):
            continue
        section = _section_in(section.model_fields[part].annotation)
    return list(section.model_fields)


def _section_in(annotation: Any) -> Any:
    """The section class in an annotation such as `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_section_in(a) for a in get_args(annotation) if _holds_section(a))


def _holds_section(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_holds_section(a) for a in get_args(annotation))
