"""Small grids, and what hypothesis draws of tables, grids and damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from motet.data.grids import GridDataset, GridWriter, TokenGrid
from motet.data.tables import Cell, Row, Table
from motet.streams import ConvMode, Layout, SpecialToken
from tests.data.format.conversations import CHANNELS, MADE_BY

VOCABULARY = 50
LAYOUT = Layout(
    channels=CHANNELS,
    silence=SpecialToken(0, "<silence>"),
    end=SpecialToken(1, "<end>"),
    conv_mode=ConvMode.COLUMN,
    channel_embedding=True,
)
DIGEST = "ab" * 32

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
cells = st.one_of(
    st.none(), texts.filter(bool).map(Cell), texts.map(lambda text: Cell(text, end=True))
)
rows: st.SearchStrategy[Row] = st.tuples(cells, cells, cells)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(texts, values, max_size=3),
    max_leaves=5,
)
tables = st.builds(
    Table,
    id=texts.filter(bool),
    channels=st.just(CHANNELS),
    rows=st.lists(rows, max_size=6).map(tuple),
    meta=st.dictionaries(texts, json_values, max_size=3),
)


@st.composite
def grids(draw: st.DrawFn) -> TokenGrid:
    """Any grid of LAYOUT."""
    shape = (draw(st.integers(0, 8)), len(CHANNELS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    tokens = rng.integers(0, VOCABULARY, shape).astype(np.int32)
    learned = rng.random(shape) < 0.5 if draw(st.booleans()) else None
    weights = rng.random(shape, np.float32) if draw(st.booleans()) else None
    return TokenGrid(draw(texts.filter(bool)), tokens, learned, weights, draw(st.just({"a": 1})))


def counted(name: str, num_rows: int = 4) -> TokenGrid:
    """A grid whose cells count up."""
    cells_RC = np.arange(num_rows * len(CHANNELS), dtype=np.int32).reshape(num_rows, -1)
    return TokenGrid(name, cells_RC % VOCABULARY, meta={"source": "test"})


def write_grids_to(path: Path, grids: list[TokenGrid], shard_rows: int = 1000) -> GridDataset:
    """A finished dataset."""
    with GridWriter(path, LAYOUT, VOCABULARY, DIGEST, MADE_BY, shard_rows=shard_rows) as writer:
        for grid in grids[writer.num_done :]:
            writer.write(grid)
    return GridDataset.open(path)


@contextmanager
def damaged(path: Path, data: st.DataObject) -> Iterator[int]:
    """A file cut off somewhere, or with a bit flipped; where. Whole again afterwards."""
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))])
    is_cut = data.draw(st.booleans())
    path.write_bytes(whole[:at] if is_cut else whole[:at] + flipped + whole[at + 1 :])
    try:
        yield at
    finally:
        path.write_bytes(whole)
