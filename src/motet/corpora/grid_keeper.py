"""Rollouts as grids: tokens exactly as they were said.

Cells that were given (the opening, the User, a chat template) are no targets, nor are those of a
channel that was held silent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from motet.corpora.attempts import Attempt, Attempts
from motet.corpora.collecting import write_dataset
from motet.data.building import Written
from motet.data.dataset import GridDescription, MadeBy
from motet.data.grids import check_grid, grid_description, write_grids
from motet.data.readable import table_of
from motet.data.table import Table
from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from motet.formats.gguf import GGUFModel
from motet.formats.vocabulary import HUGGINGFACE_KEY
from motet.protocol.row import Row
from motet.runtime.directory import ModelSource, codec_of
from motet.streams.codec import TOKENIZER_FILE, StreamCodec
from motet.streams.grid import TOKEN_DTYPE

__all__ = ["GridKeeper"]


@dataclass(frozen=True)
class GridKeeper:
    """Grids in the tokens of `codec`. tokenizer: the tokenizer.json that lies beside them.

    held: names of channels that were held silent. is_checked: hold what the rows say against the
    codec, for rows from elsewhere.
    """

    codec: StreamCodec
    tokenizer: bytes
    held: Collection[str] = ()
    is_checked: bool = False

    @classmethod
    def of(
        cls, source: ModelSource, held: Collection[str] = (), *, is_checked: bool = False
    ) -> GridKeeper:
        """In the tokens of a model; of a GGUF file, the tokenizer.json that `convert` makes."""
        if isinstance(source, GGUFModel):
            whole = source.metadata.get(HUGGINGFACE_KEY)
            text = whole if isinstance(whole, str) else source.tokenizer().to_str()
            content = text.encode("utf-8")
        else:
            content = (source.path / TOKENIZER_FILE).read_bytes()
        return cls(codec_of(source), content, tuple(held), is_checked)

    @property
    def form(self) -> str:
        """See `Keeper`."""
        return f"grids {self._digest}"

    def keep(self, id_: str, rows: Sequence[Row], meta: Mapping[str, Any]) -> Any:
        """See `Keeper`; DataError if the rows were said with another tokenizer."""
        if self.is_checked:
            self._check(rows)
        layout = self.codec.layout
        learnable = {i for i in layout.sampled_indices if layout.names[i] not in self.held}
        learned = (
            "1" if channel in learnable and not given else "0"
            for row in rows
            for channel, given in enumerate(row.given)
        )
        return {
            "id": id_,
            "num_rows": len(rows),
            "tokens": [token for row in rows for token in row.token_ids],
            "learned": "".join(learned),
            "meta": dict(meta),
        }

    def grid(self, kept: Any, where: str) -> TokenGrid:
        """What `keep` made; DataError, naming `where`, for anything else."""
        try:
            shape = (kept["num_rows"], self.codec.layout.num_channels)
            tokens = np.array(kept["tokens"], TOKEN_DTYPE).reshape(shape)
            learned = np.array([cell == "1" for cell in kept["learned"]], np.bool_).reshape(shape)
            return TokenGrid(kept["id"], tokens, learned, meta=kept["meta"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(where, expected="a grid", got=error) from None

    def table(self, kept: Any, where: str) -> Table:
        """See `Keeper`."""
        return table_of(self.grid(kept, where), self.codec)

    def collect(
        self,
        attempts: Attempts,
        numbers: Sequence[int],
        left_out: Mapping[str, int],
        path: Path,
        made_by: MadeBy,
    ) -> GridDescription:
        """See `Keeper`."""
        layout, size = self.codec.layout, self.codec.vocab_size
        description = grid_description(layout, size, self._digest, made_by)

        def write(file: BinaryIO, kept: Iterator[Attempt]) -> Written:
            grids = []
            for one in kept:
                grids.append(self.grid(one.kept, f"{attempts.path}: attempt {one.number}"))
                check_grid(grids[-1], description)
            return write_grids(file, grids)

        beside = {TOKENIZER_FILE: self.tokenizer}
        return write_dataset(
            path, description, attempts, numbers, write, beside=beside, left_out=left_out
        )

    @property
    def _digest(self) -> str:
        return hashlib.sha256(self.tokenizer).hexdigest()

    def _check(self, rows: Sequence[Row]) -> None:
        detokenizers = [self.codec.detokenizer() for _ in self.codec.layout.names]
        for row in rows:
            here = [d.push(i) for d, i in zip(detokenizers, row.token_ids, strict=False)]
            silent = [token == self.codec.silence_id for token in row.token_ids]
            if (here, silent) != (list(row.deltas), list(row.silent)):
                raise DataError(
                    f"row {row.index} of the teacher", expected=f"{here}, by --tokenizer",
                    got=list(row.deltas), fix="give the model that is served",
                )  # fmt: skip
