"""The Python of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.server.process import ServerProcess

README = Path(__file__).parents[2] / "README.md"


BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
URL = "http://127.0.0.1:8440"


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [block for block in BLOCKS if URL not in block]
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    promised = re.search(r"print\(reply\.channels\[\"Output\"\]\)\s*# (.*)", blocks[0])
    assert promised is not None
    assert names["reply"].channels["Output"] == promised[1]
    assert names["model"].resume("talk.motet").rows == names["session"].rows[:20]


@pytest.mark.slow
def test_the_client_of_the_readme_runs(tmp_path: Path) -> None:
    (block,) = [block for block in BLOCKS if URL in block]
    server = ServerProcess(tmp_path / "log", "--journal", "none")
    names: dict[str, Any] = {}
    try:
        exec(block.replace(URL, server.url), names)
    finally:
        names["client"].close()
        server.close()
    promised = re.search(r"content  # Output: \"(.*)\"", block)
    assert promised is not None
    assert names["reply"].choices[0].message.content == promised[1]
