"""Small grids: written by hand as lines of letters, or drawn so that every word is another one."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from motet.data.augment import Voices
from motet.data.token_grid import TokenGrid
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken

SILENCE, END = 0, 1
CHANNELS = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
)
LAYOUT = Layout(
    CHANNELS, SpecialToken(SILENCE, "<s>"), SpecialToken(END, "<e>"), ConvMode.COLUMN, True
)
VOICES = Voices.of(LAYOUT)
ENDLESS = Voices(CHANNELS, SILENCE, None, 1)
FIRST_WORD = 2


def grid_of(*columns: str, name: str = "g") -> TokenGrid:
    """One text a channel: "." is silence, "$" an end, anything else a word."""
    num_rows = max(map(len, columns))
    codes = {".": SILENCE, "$": END}
    cells = [[codes.get(c, ord(c)) for c in column.ljust(num_rows, ".")] for column in columns]
    return TokenGrid(name, np.array(cells, np.int32).T.copy())


def columns_of(grid: TokenGrid) -> list[str]:
    """What `grid_of` was given, without the silence at the end."""
    texts = {SILENCE: ".", END: "$"}
    return [
        "".join(texts.get(t, chr(t)) for t in column.tolist()).rstrip(".")
        for column in grid.tokens_RC.T
    ]


@st.composite
def grids(draw: st.DrawFn, *, first_word: int = FIRST_WORD, with_end: bool = True) -> TokenGrid:
    """A grid behind one silent row; no two words of it are equal."""
    num_rows = draw(st.integers(1, 12))
    kinds = st.sampled_from([SILENCE, END, FIRST_WORD] if with_end else [SILENCE, FIRST_WORD])
    cells = draw(st.lists(kinds, min_size=3 * num_rows, max_size=3 * num_rows))
    tokens_RC = np.array([0, 0, 0, *cells], np.int32).reshape(-1, 3)
    is_word_RC = tokens_RC == FIRST_WORD
    tokens_RC[is_word_RC] = first_word + np.arange(is_word_RC.sum())
    learned_RC = weights_RC = None
    if draw(st.booleans()):
        learned_RC = np.isin(tokens_RC % 3, [0, 1]) & VOICES.sampled_C
    if draw(st.booleans()):
        weights_RC = (tokens_RC % 5).astype(np.float32)
    return TokenGrid(f"g{first_word}", tokens_RC, learned_RC, weights_RC, {"planted": [3]})
