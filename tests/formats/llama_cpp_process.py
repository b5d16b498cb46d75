"""llama.cpp, asked once, in a process of its own: its tokens for texts, its logits for tokens.

    stdin:  {"model": path, "texts": [...], "add_special": bool, "tokens": [...]}
    stdout: {"tokens": [[...], ...], "logits": [[...], ...]}

The library is the one inside the wheel `xllamacpp`, reached through its C symbols. Structures of
parameters, which change from version to version, are taken as they come out of the library and
given back as a whole; two of them are changed, found by their defaults: the type of the KV cache,
and whether attention is the fused one.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

F16, F32 = 1, 0
AUTO, OFF = 0xFFFFFFFF, 0
CONTEXT_TOKENS = 128


class Parameters(ctypes.Structure):
    """More than as many words as any version has."""

    _fields_ = [("words", ctypes.c_uint32 * 256)]


class Batch(ctypes.Structure):
    """llama_batch"""

    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


class LlamaCpp:
    """One model."""

    def __init__(self, library: Path, model: str) -> None:
        self._library = ctypes.CDLL(str(library))
        pointer, integer = ctypes.c_void_p, ctypes.c_int32
        self._quiet = ctypes.CFUNCTYPE(None, integer, ctypes.c_char_p, pointer)(lambda *_: None)
        self._call("llama_log_set", None, self._quiet, None)
        self._call("llama_backend_init", None)
        parameters = self._call("llama_model_default_params", Parameters)
        self._model = self._call("llama_model_load_from_file", pointer, model.encode(), parameters)
        if not self._model:
            raise SystemExit("llama.cpp does not open the file")
        model_pointer = ctypes.c_void_p(self._model)
        self._vocab = ctypes.c_void_p(self._call("llama_model_get_vocab", pointer, model_pointer))
        self.vocab_size = self._call("llama_vocab_n_tokens", integer, self._vocab)
        self._context: Any = None

    def _call(self, name: str, restype: Any, *arguments: Any) -> Any:
        function = getattr(self._library, name)
        function.restype = restype
        return function(*arguments)

    def tokens(self, text: str, *, add_special: bool) -> list[int]:
        data = text.encode()
        room = len(data) + 16
        ids = (ctypes.c_int32 * room)()
        count = self._call(
            "llama_tokenize", ctypes.c_int32, self._vocab, data, len(data), ids, room,
            ctypes.c_bool(add_special), ctypes.c_bool(False),
        )  # fmt: skip
        assert count >= 0
        return ids[:count]

    def logits(self, tokens: list[int]) -> list[list[float]]:
        """After each of the tokens, with keys and values in float32."""
        parameters = self._call("llama_context_default_params", Parameters)
        words = list(parameters.words)
        kv_type = _only(words, [0, 0, 0, 0, F16, F16, 0, 0]) + 4
        parameters.words[kv_type] = parameters.words[kv_type + 1] = F32
        parameters.words[_only(words, [AUTO] * 4) + 3] = OFF  # flash attention rounds to float16
        model = ctypes.c_void_p(self._model)
        context = self._call("llama_init_from_model", ctypes.c_void_p, model, parameters)
        context = ctypes.c_void_p(context)
        self._call("llama_set_n_threads", None, context, 1, 1)
        batch = self._call("llama_batch_init", Batch, len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, 1
        assert self._call("llama_decode", ctypes.c_int32, context, batch) == 0
        rows = []
        for i in range(len(tokens)):
            row = self._call("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), context, i)
            rows.append(row[: self.vocab_size])
        return rows


def _only(words: list[int], pattern: list[int]) -> int:
    """Where the only place is that looks like `pattern`."""
    size = len(pattern)
    places = [i for i in range(8, 40) if words[i : i + size] == pattern]
    assert len(places) == 1, words[:64]
    return places[0]


def main() -> None:
    request = json.load(sys.stdin)
    llama = LlamaCpp(Path(sys.argv[1]), request["model"])
    add_special = request.get("add_special", False)
    reply = {
        "tokens": [llama.tokens(t, add_special=add_special) for t in request.get("texts", [])],
        "logits": llama.logits(request["tokens"]) if request.get("tokens") else [],
    }
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
