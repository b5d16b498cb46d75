"""The Python of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    promised = re.search(r"print\(reply\.channels\[\"Output\"\]\)\s*# (.*)", blocks[0])
    assert promised is not None
    assert names["reply"].channels["Output"] == promised[1]
    assert names["model"].resume("talk.motet").rows == names["session"].rows[:20]
