"""llama.cpp, driven through its C API, as a process of its own.

A process apart, because two OpenMP runtimes and two copies of ggml do not belong into one, and so
that its memory can be told. It reads one JSON request a line and answers each with one line:

    {"open": {"path", "num_threads", "num_sequences", "num_logits", "max_tokens"}} -> facts
    {"step": {"count"}}         one token in each sequence, `count` times  -> {"seconds": [...]}
    {"prefill": {"num_tokens"}} in one sequence, from nothing              -> {"seconds": [...]}
    {"clear": {}} forgets all that was read    {"memory": {}} -> {"peak_resident_bytes"}

The functions are those of llama-cpp-python's low-level API. This file is run as a program by the
interpreter that has the package.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
from typing import Any

from motet.bench.hardware import peak_resident_bytes

PACKAGE, MODULE = "llama-cpp-python", "llama_cpp"


class RefusedError(Exception):
    """What llama.cpp was asked for it would not do."""


class Peer:
    """One model in llama.cpp, and the sequences of a batch. `c`: its functions and structures."""

    def __init__(
        self,
        c: Any,
        path: str,
        num_threads: int,
        num_sequences: int,
        num_logits: int,
        max_tokens: int,
    ) -> None:
        start = time.perf_counter()
        self._c = c
        c.llama_backend_init()
        self._model = c.llama_model_load_from_file(
            os.fsencode(path), c.llama_model_default_params()
        )
        if not self._model:
            raise RefusedError("the file could not be loaded")
        params = c.llama_context_default_params()
        params.n_seq_max = num_sequences
        params.n_ctx = num_sequences * max_tokens
        params.n_batch = max(num_sequences, max_tokens)
        params.n_threads = params.n_threads_batch = num_threads
        self._context = c.llama_init_from_model(self._model, params)
        if not self._context:
            raise RefusedError("no context could be made")
        self._memory = c.llama_get_memory(self._context)
        vocabulary = c.llama_model_get_vocab(self._model)
        self._num_tokens = int(c.llama_vocab_n_tokens(vocabulary))
        self._batch = c.llama_batch_init(params.n_batch, 0, 1)
        self._num_sequences = num_sequences
        self._num_logits = num_logits
        self._position = 0
        self._dice = random.Random(0)
        self.load_s = time.perf_counter() - start

    def clear(self) -> None:
        """Forget all that was read."""
        self._c.llama_memory_clear(self._memory, True)
        self._position = 0

    def step(self) -> float:
        """Seconds for one token in each sequence, with logits for the first `num_logits`."""
        for i in range(self._num_sequences):
            self._put(i, self._position, i, i < self._num_logits)
        self._position += 1
        return self._decode(self._num_sequences)

    def prefill(self, num_tokens: int) -> float:
        """Seconds for `num_tokens` tokens in one sequence from nothing, with the last logits."""
        self.clear()
        for i in range(num_tokens):
            self._put(i, i, 0, i == num_tokens - 1)
        seconds = self._decode(num_tokens)
        self.clear()
        return seconds

    def _put(self, index: int, position: int, sequence: int, wanted: bool) -> None:
        batch = self._batch
        batch.token[index] = self._dice.randrange(self._num_tokens)
        batch.pos[index] = position
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = sequence
        batch.logits[index] = wanted

    def _decode(self, num_tokens: int) -> float:
        self._batch.n_tokens = num_tokens
        start = time.perf_counter()
        code = self._c.llama_decode(self._context, self._batch)
        self._c.llama_synchronize(self._context)
        seconds = time.perf_counter() - start
        if code:
            raise RefusedError(f"llama_decode returned {code}")
        return seconds


class Process:
    """Answers requests until there are no more. `package`: the imported low-level API."""

    def __init__(self, package: Any) -> None:
        self._package = package
        self._peer: Peer | None = None

    def answer(self, request: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The answer to one request; raises RefusedError."""
        ((name, arguments),) = request.items()
        if name == "open":
            self._peer = Peer(self._package, **arguments)
            return {
                "version": f"{PACKAGE} {self._package.__version__}",
                "features": _features(self._package.llama_print_system_info().decode()),
                "load_s": self._peer.load_s,
            }
        if name == "memory":
            return {"peak_resident_bytes": peak_resident_bytes()}
        if self._peer is None:
            raise RefusedError("nothing is open")
        if name == "step":
            return {"seconds": [self._peer.step() for _ in range(arguments["count"])]}
        if name == "prefill":
            return {"seconds": [self._peer.prefill(arguments["num_tokens"])]}
        self._peer.clear()
        return {}


def _features(system_info: str) -> list[str]:
    """What is switched on in `CPU : AVX2 = 1 | AVX512 = 0 | ...`."""
    parts = system_info.rpartition(":")[2].split("|")
    return [part.split("=")[0].strip() for part in parts if part.strip().endswith("= 1")]


def main() -> None:
    """Serve requests from standard input; the library's own words go to standard error."""
    with os.fdopen(os.dup(1), "w", buffering=1) as answers:
        os.dup2(2, 1)
        process = Process(importlib.import_module(MODULE))
        for line in sys.stdin:
            try:
                answer = process.answer(json.loads(line))
            except RefusedError as error:
                answer = {"refusal": str(error)}
            answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
