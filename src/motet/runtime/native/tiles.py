"""The interleaved weights that our own kernels read, made once from a model's.

Those of a large model are kept in a file of the user's cache folder and mapped from there, so that
opening it again costs no time and no memory of its own. The file is named by what is in it (a
digest of the model and the format), written whole or not at all, and may be deleted at any time.
It is read ahead as soon as it is mapped, or the first rows would wait for the disk page by page.
Where it can't be written, and for small models, the same numbers are made in memory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.folders import cache_folder
from motet.runtime.native.digest import digest_of
from motet.runtime.native.kernels import Weights, interleave, weights_of
from motet.runtime.native.readahead import read_ahead
from motet.runtime.native.weights import Model, Weight

MIN_FILE_BYTES = 1 << 28
FORMAT = "motet tiles 1"
_ALIGNMENT = 64
_HEADER_BYTES = 4096
_PART_ROWS = 4096

Bytes = NDArray[np.uint8]


class Tiles:
    """Interleaved weights of a model, by name. file: where they are mapped from, if they are."""

    def __init__(
        self, model: Model, names: Iterable[str], num_threads: int, folder: Path | None = None
    ) -> None:
        self._weights = {name: model.weights[name] for name in names}
        self._places: dict[str, slice] = {}
        end = _HEADER_BYTES
        for name, weight in self._weights.items():
            self._places[name] = slice(end, end + len(weight.data))
            end += -(-len(weight.data) // _ALIGNMENT) * _ALIGNMENT
        self._num_threads = num_threads
        self.file: Path | None = None
        if end - _HEADER_BYTES >= MIN_FILE_BYTES:
            self.file = self._file(model, folder or cache_folder() / "tiles", end)
        if self.file is not None:
            self._content: Bytes = np.memmap(self.file, np.uint8, mode="r")
            read_ahead(self.file)
        else:
            self._content = _aligned(end)
            for start, part in self._parts():
                self._content[start : start + part.size] = part

    def __contains__(self, name: str) -> bool:
        return name in self._weights

    def __getitem__(self, name: str) -> Weights:
        weight, place = self._weights[name], self._places[name]
        return weights_of(weight.type, weight.shape, self._content[place].ctypes.data)

    @property
    def num_bytes(self) -> int:
        """Bytes held in memory beside the model's own weights; 0 if they are mapped."""
        return self._content.nbytes if self.file is None and self._weights else 0

    def _file(self, model: Model, folder: Path, num_bytes: int) -> Path | None:
        """The file with the tiles, written if it is not there; None if it can't be."""
        identity = f"{FORMAT} {digest_of(model)} {sorted(self._places.items(), key=str)}"
        key = hashlib.sha256(identity.encode()).hexdigest()
        path = folder / f"{key[:32]}.tiles"
        try:
            if path.is_file() and path.stat().st_size == num_bytes:
                return path
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < num_bytes + (num_bytes >> 4):
                return None
            self._write(path, num_bytes)
        except OSError:
            return None
        return path

    def _write(self, path: Path, num_bytes: int) -> None:
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".partial")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for start, part in self._parts():
                    file.seek(start)
                    file.write(part.data)
                file.truncate(num_bytes)
            Path(partial).replace(path)
        finally:
            Path(partial).unlink(missing_ok=True)

    def _parts(self) -> Iterator[tuple[int, Bytes]]:
        """Everything interleaved, in parts of some rows: where each part goes, and the part."""

        def part(weight: Weight, first: int) -> Bytes:
            num_rows, depth = prod(weight.shape[:-1]), weight.shape[-1]
            row_bytes = weight.type.num_bytes((depth,))
            count = min(_PART_ROWS, num_rows - first)
            source = weight.data[first * row_bytes : (first + count) * row_bytes]
            return interleave(weight.type, (count, depth), source)

        with ThreadPoolExecutor(self._num_threads) as threads:
            for name, weight in self._weights.items():
                firsts = range(0, prod(weight.shape[:-1]), _PART_ROWS)
                start = self._places[name].start
                for done in [threads.submit(part, weight, first) for first in firsts]:
                    yield start, done.result()
                    start += done.result().size
                weight.give_back()


def _aligned(num_bytes: int) -> Bytes:
    memory = np.empty(num_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + num_bytes]
