"""Folders as the XDG specification has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from motet.folders import cache_folder, state_folder


@pytest.mark.parametrize(
    ("folder", "variable", "usual"),
    [(state_folder, "XDG_STATE_HOME", ".local/state"), (cache_folder, "XDG_CACHE_HOME", ".cache")],
)
def test_folders(
    folder: Callable[[], Path], variable: str, usual: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for value, expected in (
        ("/elsewhere", "/elsewhere/motet"),
        ("", f"/home/somebody/{usual}/motet"),
        ("not/absolute", f"/home/somebody/{usual}/motet"),
    ):
        monkeypatch.setenv(variable, value)
        assert folder() == Path(expected)
    monkeypatch.delenv(variable)
    assert folder() == Path(f"/home/somebody/{usual}/motet")
