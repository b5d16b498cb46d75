"""A runtime without a model: what it predicts is a function of the rows that it has read.

The engine must not care, so its own logic can be tested exactly and fast. `Script` writes out what
each channel wants to say; `Dream` draws logits from a hash of everything read, so any difference in
the past, however small, shows in the next row.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from motet.engine import Engine, Sampling
from motet.errors import StateError
from motet.runtime.protocol import Wanted, check_tokens, room_of
from motet.streams import Channel, ConvMode, Layout, Role, SpecialToken, StreamCodec
from motet.streams.grid import Grid, Tokens

SILENCE, END = SpecialToken(0, "<silence>"), SpecialToken(1, "<end>")
GREEDY = Sampling(temperature=0.0)
CERTAIN = 50.0


def byte_tokenizer() -> Tokenizer:
    """Ids 0 and 1 are silence and end, then the 256 bytes, then " -" and "he"."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [SILENCE.text, END.text, *alphabet, "Ġ-", "he"]
    merges = [("Ġ", "-"), ("h", "e")]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([SILENCE.text, END.text])
    return tokenizer


VOCAB_SIZE = byte_tokenizer().get_vocab_size()
DASH_ID = byte_tokenizer().token_to_id("Ġ-")


def id_of(letter: str) -> int:
    """The token of one ASCII letter."""
    token_id = byte_tokenizer().token_to_id(letter)
    assert token_id is not None
    return token_id


def layout_of(*thoughts: str, end: bool = True, silence: SpecialToken = SILENCE) -> Layout:
    """User, Output and some thoughts."""
    return Layout(
        channels=(
            Channel("User", Role.INPUT),
            Channel("Output", Role.OUTPUT),
            *(Channel(name, Role.THOUGHT) for name in thoughts),
        ),
        silence=silence,
        end=END if end else None,
        conv_mode=ConvMode.COLUMN,
        channel_embedding=True,
    )


OWN = layout_of("Think")
WITHOUT_END = layout_of("Think", end=False)
PUBLISHED = layout_of("Think", "Skeptical", end=False, silence=SpecialToken(DASH_ID, " -"))

Predict = Callable[[Tokens], NDArray[np.float32]]  # rows read [R, C] -> logits [C, V]


@dataclass(eq=False)
class ScriptedState:
    """The rows that were read."""

    rows: list[tuple[int, ...]]
    max_rows: int
    num_channels: int

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    @property
    def num_bytes(self) -> int:
        return 0

    @property
    def tokens_RC(self) -> Tokens:
        return np.array(self.rows, np.int32).reshape(-1, self.num_channels)

    def fork(self, max_rows: int | None = None) -> ScriptedState:
        return ScriptedState(list(self.rows), room_of(self, max_rows), self.num_channels)


@dataclass(eq=False)
class ScriptedRuntime:
    """A `Runtime` whose logits come from `predict`. Counts its forwards."""

    layout: Layout
    predict: Predict
    vocab_size: int = VOCAB_SIZE
    context_rows: int = 4096
    blocks_read: list[list[Tokens]] = field(default_factory=list)

    def open(self, max_rows: int) -> ScriptedState:
        if not 1 <= max_rows <= self.context_rows:
            raise StateError("max_rows", expected=f"1 to {self.context_rows}", got=max_rows)
        return ScriptedState([], max_rows, self.layout.num_channels)

    def forward(
        self,
        states: Sequence[ScriptedState],
        tokens: Sequence[Tokens],
        *,
        wanted: Wanted = Wanted.LAST,
        channels: Sequence[int] | None = None,
    ) -> list[NDArray[np.float32]]:
        check_tokens(self, states, tokens)
        assert wanted is Wanted.LAST
        self.blocks_read.append([block.copy() for block in tokens])
        columns = list(range(self.layout.num_channels) if channels is None else channels)
        for state, block in zip(states, tokens, strict=True):
            state.rows.extend(tuple(row) for row in block.tolist())
        return [self.predict(state.tokens_RC)[None, columns] for state in states]

    def truncate(self, state: ScriptedState, num_rows: int) -> None:
        if not 0 <= num_rows <= state.num_rows:
            raise StateError("truncate", expected=f"0 to {state.num_rows} rows", got=num_rows)
        del state.rows[num_rows:]

    def save_state(self, state: ScriptedState, path: Path) -> None:
        grid = Grid(state.tokens_RC, np.full(state.tokens_RC.shape, state.max_rows > 0))
        grid.save(path)
        with path.open("ab") as file:
            file.write(state.max_rows.to_bytes(4, "little"))

    def load_state(self, path: Path) -> ScriptedState:
        max_rows = int.from_bytes(path.read_bytes()[-4:], "little")
        tokens = Grid.load(path).tokens_RC
        return ScriptedState([tuple(row) for row in tokens.tolist()], max_rows, tokens.shape[1])


def script(layout: Layout, says: Mapping[str, str], *, otherwise: str = ".") -> Predict:
    """Logits that are certain of the token written for the next row.

    `says` has one character per row, counted from row 0, for each channel: `.` is silence, `$` the
    end token, anything else itself. After the text comes `otherwise`, again and again.
    """

    def token_of(mark: str) -> int:
        if mark == ".":
            assert layout.silence is not None
            return layout.silence.id
        if mark == "$":
            assert layout.end is not None
            return layout.end.id
        return id_of(mark)

    columns = {layout.index(name): [token_of(mark) for mark in text] for name, text in says.items()}
    rest = [token_of(mark) for mark in otherwise]

    def predict(tokens_RC: Tokens) -> NDArray[np.float32]:
        row = len(tokens_RC)
        logits = np.zeros((layout.num_channels, VOCAB_SIZE), np.float32)
        for channel in range(layout.num_channels):
            column = columns.get(channel, [])
            past = row - len(column)
            token_id = column[row] if past < 0 else rest[past % len(rest)]
            logits[channel, token_id] = CERTAIN
        return logits

    return predict


def dream(layout: Layout, *, silence: float = 1.5, sharpness: float = 2.0) -> Predict:
    """Random logits, another draw for every different past."""

    def predict(tokens_RC: Tokens) -> NDArray[np.float32]:
        seed = zlib.crc32(np.ascontiguousarray(tokens_RC, np.int32).tobytes())
        shape = (layout.num_channels, VOCAB_SIZE)
        logits = sharpness * np.random.default_rng(seed).standard_normal(shape, np.float32)
        if layout.silence is not None:
            logits[:, layout.silence.id] += sharpness * silence
        if layout.end is not None:
            logits[:, layout.end.id] += sharpness * silence
        return logits

    return predict


def engine_of(
    layout: Layout, predict: Predict, *, sampling: Sampling = GREEDY, **options: int
) -> Engine[ScriptedState]:
    """An engine that talks to a script or a dream; options: of `Engine`."""
    runtime = ScriptedRuntime(layout, predict)
    codec = StreamCodec(byte_tokenizer(), layout)
    return Engine("scripted", runtime, codec, sampling, **options)  # type: ignore[arg-type]


def scripted_engine(
    layout: Layout, says: Mapping[str, str], *, otherwise: str = "."
) -> Engine[ScriptedState]:
    """A greedy engine on a `script`."""
    return engine_of(layout, script(layout, says, otherwise=otherwise))


def dreaming_engine(layout: Layout = OWN, **options: int) -> Engine[ScriptedState]:
    """A sampling engine on a `dream`."""
    sampling = Sampling(temperature=1.0, repetition_penalty=1.3, frequency_penalty=0.2)
    return engine_of(layout, dream(layout), sampling=sampling, **options)
