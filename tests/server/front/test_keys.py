"""API keys: read from three places, shown in two ways, told to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.datastructures import Headers

from motet.errors import SettingError
from motet.server.config import ServerConfig
from motet.server.safety_keys import ApiKeys, read_keys


def bearer(key: str) -> Headers:
    return Headers({"authorization": f"Bearer {key}"})


def test_a_server_without_keys_lets_everybody_in() -> None:
    assert not ApiKeys([])
    assert ApiKeys([]).admit(Headers({}))


def test_any_of_several_keys_opens() -> None:
    keys = ApiKeys(["first-key", "second-key"])
    assert keys.admit(bearer("first-key"))
    assert keys.admit(bearer("second-key"))
    assert keys.admit(Headers({"authorization": "bearer second-key"}))
    assert keys.admit(Headers({}), ["motet.v1", "motet-key.second-key"])


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer "}, {"authorization": "Bearer first-ke"},
                {"authorization": "Bearer first-keyy"}, {"authorization": "Basic first-key"},
                {"authorization": "first-key"}, {"x-api-key": "first-key"},
                {"authorization": "Bearer f\xfcrst-key"}],
)  # fmt: skip
def test_no_other_opens(headers: dict[str, str]) -> None:
    assert not ApiKeys(["first-key"]).admit(Headers(headers), ["motet.v1", "motet-key."])


def test_keys_come_from_options_a_file_and_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of Anna\nannas-key-1\n\n  bobs-key-22 \n")
    found = read_keys(["option-key"], file, {"MOTET_API_KEYS": "env-key-1, env-key-2,annas-key-1,"})
    assert found == ("option-key", "annas-key-1", "bobs-key-22", "env-key-1", "env-key-2")
    assert read_keys([], None, {}) == ()


@pytest.mark.parametrize("key", ["short", "has space in it", "schlüssel-1", "a,b,c,d,e", "x" * 257])
def test_a_key_that_cannot_travel_is_refused_and_not_repeated(key: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--api-key") as refused:
        read_keys([key], None, {})
    assert key not in str(refused.value)
    file = tmp_path / "keys"
    file.write_text(f"good-key-1\n{key}\n")
    with pytest.raises(SettingError, match="line 2"):
        read_keys([], file, {})


def test_a_file_of_keys_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="No such file"):
        read_keys([], tmp_path / "none", {})
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(SettingError, match="expected an API key a line"):
        read_keys([], tmp_path / "empty", {})


def test_a_config_does_not_show_its_keys() -> None:
    assert "first-key" not in repr(ServerConfig(api_keys=("first-key",)))
