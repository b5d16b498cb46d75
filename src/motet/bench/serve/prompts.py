"""What users ask: questions of the package's own generator, or lines of a file."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from motet.errors import InputError

__all__ = ["Prompts", "generated_prompts", "read_prompts"]

NUM_GENERATED = 512


class Prompts:
    """Texts in an order that the seed decides; it begins again when all have been asked."""

    def __init__(self, texts: list[str], seed: int) -> None:
        self._texts = list(texts)
        Random(seed).shuffle(self._texts)
        self._next = 0

    def draw(self) -> str:
        """The next text."""
        text = self._texts[self._next % len(self._texts)]
        self._next += 1
        return text


def generated_prompts(seed: int) -> Prompts:
    """Questions as motet-tiny was trained on: problems, sums, letters, talk."""
    from motet.data.tiny.mixture import Shares, TaskSource  # reads templates, needed only here

    source, dice = TaskSource.of_package(Shares()), Random(f"bench/{seed}")
    return Prompts([source.draw(dice).question for _ in range(NUM_GENERATED)], seed)


def read_prompts(path: Path, seed: int) -> Prompts:
    """One prompt a line: plain text, or JSON objects with a `text`; InputError if there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}", expected="a file of prompts in UTF-8", got=error) from None
    texts = [_text(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not texts:
        raise InputError(f"{path}", expected="a prompt a line", got="none")
    return Prompts(texts, seed)


def _text(path: Path, number: int, line: str) -> str:
    if not line.lstrip().startswith("{"):
        return line
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError):
        text = None
    if not isinstance(text, str) or not text:
        raise InputError(
            f"{path}: line {number}", expected='an object with a "text"', got=line[:80]
        )
    return text
