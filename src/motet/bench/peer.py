"""llama.cpp beside us in the same run: started, asked, and ended as a process of its own.

While it is not asked anything it waits for a line and costs nothing, so the two can take turns.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from motet.bench.peer_process import MODULE, PACKAGE
from motet.errors import BenchError

NAME = "llama.cpp"
_PROGRAM = "motet.bench.peer_process"


@dataclass(frozen=True)
class PeerFacts:
    """Which peer it is: package and version, and what it says it uses of the processor."""

    version: str
    features: list[str]
    load_s: float


def is_installed() -> bool:
    """Whether there is a peer."""
    return find_spec(MODULE) is not None


class PeerProcess:
    """A model in llama.cpp. A context manager: the process ends with it.

    num_sequences: sequences of a step, each with room for `max_tokens` tokens. num_logits: for how
    many of them a step computes logits, as many as we do. Raises BenchError if there is no peer,
    or it does not open the model, or it dies.
    """

    def __init__(
        self,
        path: Path,
        *,
        num_threads: int,
        num_sequences: int,
        num_logits: int,
        max_tokens: int,
    ) -> None:
        if not is_installed():
            raise BenchError(
                f"peer {NAME}", expected=PACKAGE, got="none installed", fix=f"pip install {PACKAGE}"
            )
        self._path = path
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        try:
            answer = self._ask(
                "open", path=str(path), num_threads=num_threads, num_sequences=num_sequences,
                num_logits=num_logits, max_tokens=max_tokens,
            )  # fmt: skip
        except BaseException:
            self.close()
            raise
        self.facts = PeerFacts(**answer)

    def step(self, count: int) -> list[float]:
        """Seconds of each of `count` steps: one token in every sequence."""
        return self._seconds("step", count=count)

    def prefill(self, num_tokens: int) -> float:
        """Seconds for `num_tokens` tokens in one sequence; forgets everything before and after."""
        return self._seconds("prefill", num_tokens=num_tokens)[0]

    def clear(self) -> None:
        """Make it forget everything that it read."""
        self._ask("clear")

    def peak_resident_bytes(self) -> int:
        """The most memory that the process has held."""
        return int(self._ask("memory")["peak_resident_bytes"])

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _seconds(self, name: str, **arguments: object) -> list[float]:
        return [float(seconds) for seconds in self._ask(name, **arguments)["seconds"]]

    def _ask(self, name: str, **arguments: object) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({name: arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"refusal": "it ended"}
        if "refusal" in answer:
            raise BenchError(
                f"peer {NAME}: {name} {self._path.name}", expected="an answer",
                got=answer["refusal"] + self._last_words(),
            )  # fmt: skip
        return answer

    def _last_words(self) -> str:
        """The last line of what the library wrote about its failure."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        told = [line.strip() for line in lines if "error" in line.lower()] or lines[-1:]
        return f" ({told[0]})" if told else ""
