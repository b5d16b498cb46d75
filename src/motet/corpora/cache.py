"""Answers on disk by what was asked: the same question to the same model is paid for once.

The name of a file is the SHA-256 of the request: URL, model, messages, every field that was sent,
and which of several answers to the same request it is.
Inside are the request and the answer. A file that does not hold the request that its name stands
for is asked anew and replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from motet.corpora.budget import Spending
from motet.folders import cache_folder

__all__ = ["Answer", "AnswerCache", "answers_folder"]


@dataclass(frozen=True)
class Answer:
    """What a model said.

    finish: why it stopped, in the server's word, such as `stop` or `length`. prompt_tokens,
    answer_tokens: as the server counted them, None where it did not. num_requests: what it took
    now, 0 if it was there already.
    """

    text: str
    finish: str
    prompt_tokens: int | None
    answer_tokens: int | None
    num_requests: int = 0

    @property
    def spending(self) -> Spending:
        """What it cost now."""
        if self.num_requests == 0:
            return Spending()
        return Spending(self.num_requests, self.prompt_tokens or 0, self.answer_tokens or 0)


_READER: TypeAdapter[Answer] = TypeAdapter(Answer)


class AnswerCache:
    """A folder of answers. Several processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, request: Mapping[str, Any]) -> Answer | None:
        """The answer to a request, if it is there and whole."""
        try:
            kept = json.loads(self._path(request).read_text("utf-8"))
            if kept["request"] != request:
                return None
            return _READER.validate_python(kept["answer"])
        except (FileNotFoundError, ValueError, KeyError, TypeError, ValidationError):
            return None

    def put(self, request: Mapping[str, Any], answer: Answer) -> None:
        """Keep an answer, whole or not at all."""
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        answered = {k: v for k, v in asdict(answer).items() if k != "num_requests"}
        data = json.dumps({"request": request, "answer": answered}, ensure_ascii=True, indent=1)
        descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(data)
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def _path(self, request: Mapping[str, Any]) -> Path:
        canonical = json.dumps(request, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:]}.json"


def answers_folder() -> Path:
    """Where a user's answers are kept if no other place is named."""
    return cache_folder() / "answers"
