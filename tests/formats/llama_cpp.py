"""llama.cpp as an independent reader of what we write (see `llama_cpp_process`)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

PACKAGE = "xllamacpp"
PROCESS = Path(__file__).with_name("llama_cpp_process.py")


def _library() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    return next((f for folder in folders or () for f in Path(folder).glob(f"{PACKAGE}*.so")), None)


needs_llama_cpp = pytest.mark.skipif(
    _library() is None, reason=f"pip install {PACKAGE} to compare with llama.cpp"
)


class RefusedError(Exception):
    """llama.cpp does not open the file."""


def ask(model: Path, **request: Any) -> dict[str, Any]:
    command = [sys.executable, str(PROCESS), str(_library())]
    question = json.dumps({"model": str(model), **request})
    result = subprocess.run(command, input=question, capture_output=True, text=True, timeout=120)
    if "does not open" in result.stderr:
        raise RefusedError
    assert result.returncode == 0, result.stderr[-2000:]
    reply: dict[str, Any] = json.loads(result.stdout)
    return reply


def logits_of(model: Path, tokens: Sequence[int]) -> NDArray[np.float32]:
    """[T, V] after each token."""
    return np.array(ask(model, tokens=list(tokens))["logits"], np.float32)


def tokens_of(model: Path, texts: Sequence[str], *, add_special: bool = False) -> list[list[int]]:
    return list(ask(model, texts=list(texts), add_special=add_special)["tokens"])
