"""A grid: tokens [R, C], one row a time step, one column a stream.

    row 0   User  Output  Think  Skeptical
    row 1   User  Output  Think  Skeptical        flattened row-major: cell t = r * C + c

Beside the tokens a grid says which cells were given from outside and which were sampled.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from motet.errors import GridError

Tokens: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]
TOKEN_DTYPE = np.dtype(np.int32)

_BROKEN_FILE = (
    BadZipFile, zlib.error, OSError, EOFError, ValueError, TypeError, AttributeError,
    RuntimeError,  # zipfile: encrypted, or an unknown compression
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Grid:
    """Tokens and the mask of given cells, both [R, C]. A value: methods return new grids."""

    tokens_RC: Tokens
    given_RC: Mask = field(repr=False)

    def __post_init__(self) -> None:
        tokens, given = self.tokens_RC, self.given_RC
        if tokens.ndim != 2 or tokens.shape[1] < 1:
            raise GridError("grid tokens", expected="shape [R, C]", got=list(tokens.shape))
        if tokens.dtype != TOKEN_DTYPE or given.dtype != np.bool_:
            raise GridError(
                "grid types", expected="int32 and bool", got=f"{tokens.dtype} and {given.dtype}"
            )
        if given.shape != tokens.shape:
            raise GridError("given mask", expected=list(tokens.shape), got=list(given.shape))

    @classmethod
    def empty(cls, num_channels: int) -> Grid:
        """A grid of no rows."""
        return cls(np.empty((0, num_channels), TOKEN_DTYPE), np.empty((0, num_channels), np.bool_))

    @property
    def num_rows(self) -> int:
        """R."""
        return int(self.tokens_RC.shape[0])

    @property
    def num_channels(self) -> int:
        """C."""
        return int(self.tokens_RC.shape[1])

    def column(self, channel: int) -> Tokens:
        """One stream [R]."""
        return self.tokens_RC[:, channel]

    def flatten(self) -> Tokens:
        """Cells [R * C] in row-major order."""
        return self.tokens_RC.reshape(-1)

    @classmethod
    def from_flat(cls, cells: Tokens, num_channels: int, *, given: bool) -> Grid:
        """The grid whose row-major cells are `cells`; GridError if they fill no whole rows."""
        if cells.ndim != 1 or cells.shape[0] % num_channels:
            raise GridError(
                "flat cells", expected=f"a multiple of {num_channels}", got=list(cells.shape)
            )
        tokens = cells.astype(TOKEN_DTYPE).reshape(-1, num_channels)
        return cls(tokens, np.full(tokens.shape, given, np.bool_))

    def append(self, other: Grid) -> Grid:
        """This grid, then `other`."""
        if other.num_channels != self.num_channels:
            raise GridError(
                "appended grid", expected=f"{self.num_channels} channels", got=other.num_channels
            )
        return Grid(
            np.concatenate([self.tokens_RC, other.tokens_RC]),
            np.concatenate([self.given_RC, other.given_RC]),
        )

    def truncate(self, num_rows: int) -> Grid:
        """The first `num_rows` rows."""
        if not 0 <= num_rows <= self.num_rows:
            raise GridError("truncate", expected=f"0 to {self.num_rows} rows", got=num_rows)
        return Grid(self.tokens_RC[:num_rows].copy(), self.given_RC[:num_rows].copy())

    def save(self, path: Path) -> None:
        """Write an .npz file with `tokens` and `given`, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, tokens=self.tokens_RC, given=self.given_RC)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Grid:
        """Read what `save` wrote; GridError if the file is missing or not a grid."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                if set(data.files) != {"tokens", "given"}:
                    raise GridError("arrays", expected="tokens, given", got=data.files)
                return cls(data["tokens"], data["given"])
        except GridError as error:
            raise GridError(f"{path}: {error}") from None
        except FileNotFoundError:
            raise GridError("grid file", expected=str(path), got="no such file") from None
        except _BROKEN_FILE as error:
            raise GridError(str(path), expected="a grid file (.npz)", got=error) from None
