"""The laws as functions of a runtime. They know `motet.runtime.protocol` and nothing below it.

Each raises AssertionError with a message that begins with the number of its law. Law 13 belongs to
the engine, 15 and 16 to the native runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motet.runtime.protocol import Runtime, Wanted
from motet.streams.grid import Tokens
from motet.streams.layout import ConvMode
from tests.laws.tolerance import assert_identical, assert_same, assert_seen

Logits = NDArray[np.float32]
AnyRuntime = Runtime[Any]


class Codec(Protocol):
    """What law 17 asks of a codec."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...

    def text(self, column: list[int]) -> str: ...


def random_rows(runtime: AnyRuntime, num_rows: int, seed: int = 0) -> Tokens:
    """Rows [num_rows, C] of random tokens."""
    shape = (num_rows, runtime.layout.num_channels)
    return np.random.default_rng(seed).integers(0, runtime.vocab_size, shape, dtype=np.int32)


def read(runtime: AnyRuntime, state: Any, tokens_RC: Tokens) -> Logits:
    """Logits of all rows of one prefill."""
    return runtime.forward([state], [tokens_RC], wanted=Wanted.ALL)[0]


def decode(runtime: AnyRuntime, state: Any, tokens_RC: Tokens) -> Logits:
    """The same, row by row."""
    rows = [runtime.forward([state], [row[None]])[0] for row in tokens_RC]
    return np.concatenate(rows)


def read_alone(runtime: AnyRuntime, tokens_RC: Tokens) -> Logits:
    """Logits of all rows in a state of their own: what the laws compare with."""
    return read(runtime, runtime.open(len(tokens_RC)), tokens_RC)


def check_prefill_is_decode(runtime: AnyRuntime) -> None:
    """Law 1: one prefill of R rows == R decodes, in logits and in the state they leave."""
    rows, tail = random_rows(runtime, 10), random_rows(runtime, 3, seed=1)
    prefilled, decoded = runtime.open(20), runtime.open(20)
    by_rows = decode(runtime, decoded, rows)
    assert_same(by_rows, read(runtime, prefilled, rows), "law 1: logits")
    assert prefilled.num_rows == decoded.num_rows == 10, "law 1: rows read"
    assert_identical(decoded.tokens_RC, rows, "law 1: tokens of the decoded state")
    assert_identical(prefilled.tokens_RC, rows, "law 1: tokens of the prefilled state")
    after = read(runtime, decoded, tail)
    assert_same(after, read(runtime, prefilled, tail), "law 1: what the state says next")
    assert_seen(after, read_alone(runtime, tail), "law 1: the state's past arrives")


def check_chunking(runtime: AnyRuntime) -> None:
    """Law 2: a prefill gives the same in whatever pieces."""
    rows, tail = random_rows(runtime, 37), random_rows(runtime, 2, seed=1)
    whole = read_alone(runtime, np.concatenate([rows, tail]))
    for sizes in ([1, 36], [36, 1], [2, 1, 2, 32], [31, 1, 5], [19, 18]):
        state, pieces = runtime.open(40), []
        for piece in np.split(rows, np.cumsum(sizes)[:-1]):
            pieces.append(read(runtime, state, piece))
        pieces.append(read(runtime, state, tail))
        assert_same(np.concatenate(pieces), whole, f"law 2: pieces of {sizes} rows")


def check_batch(runtime: AnyRuntime) -> None:
    """Law 3: a batch == each session alone, whatever their lengths."""
    pasts, news = (0, 1, 9, 4), (3, 1, 1, 6)
    grids = [
        random_rows(runtime, p + n + 1, seed)
        for seed, (p, n) in enumerate(zip(pasts, news, strict=True))
    ]
    states = [runtime.open(20) for _ in grids]
    for state, grid, past in zip(states, grids, pasts, strict=True):
        if past:
            read(runtime, state, grid[:past])
    alone = [read_alone(runtime, grid) for grid in grids]
    blocks = [g[p : p + n] for g, p, n in zip(grids, pasts, news, strict=True)]
    ragged = runtime.forward(states, blocks, wanted=Wanted.ALL)
    for i, (p, n) in enumerate(zip(pasts, news, strict=True)):
        assert_same(ragged[i], alone[i][p : p + n], f"law 3: session {i} in a ragged batch")
    order = [2, 0, 3, 1]
    decoded = runtime.forward([states[i] for i in order], [grids[i][-1:] for i in order])
    for i, logits in zip(order, decoded, strict=True):
        assert_same(logits, alone[i][-1:], f"law 3: session {i} in a batch of decodes")
        assert_seen(logits, alone[i - 1][-1:], f"law 3: session {i} is not its neighbour")


def check_inactive(runtime: AnyRuntime) -> None:
    """Law 4: a state that isn't named in a forward stays bit-identical."""
    rows, others = random_rows(runtime, 9), random_rows(runtime, 12, seed=1)
    undisturbed = runtime.open(40)
    expected = [read(runtime, undisturbed, rows[:5]), decode(runtime, undisturbed, rows[5:])]
    resting, active, joining = runtime.open(40), runtime.open(40), runtime.open(40)
    first = read(runtime, resting, rows[:5])
    read(runtime, active, others[:8])
    moved = runtime.forward([active, joining], [others[8:9], others[:3]])
    decode(runtime, active, others[9:])
    runtime.truncate(active, 6)
    assert resting.num_rows == 5, "law 4: rows of the resting state"
    assert_identical(resting.tokens_RC, rows[:5], "law 4: tokens of the resting state")
    assert_identical(first, expected[0], "law 4: before the others moved")
    assert_identical(decode(runtime, resting, rows[5:]), expected[1], "law 4: after they moved")
    assert active.num_rows == 6, "law 4: rows of the active state"
    assert_seen(moved[0], expected[1][:1], "law 4: the active state did move")


def check_single_channel(
    runtime: AnyRuntime, causal_logits: Callable[[NDArray[np.int32]], Logits]
) -> None:
    """Law 5: C = 1 without a channel embedding == the ordinary causal model [T] -> [T, V]."""
    rows = random_rows(runtime, 14)
    expected = causal_logits(rows[:, 0])
    assert_same(read_alone(runtime, rows)[:, 0], expected, "law 5: prefill")
    decoded = decode(runtime, runtime.open(20), rows)
    assert_same(decoded[:, 0], expected, "law 5: decode")


def _with_other_cell(tokens_RC: Tokens, row: int, channel: int, vocab_size: int) -> Tokens:
    changed = tokens_RC.copy()
    changed[row, channel] = (changed[row, channel] + 1 + vocab_size // 3) % vocab_size
    return changed


def check_no_peek(runtime: AnyRuntime) -> None:
    """Law 6: a cell changes no logit of its peers or of earlier rows; it does change its own."""
    num_channels, row = runtime.layout.num_channels, 4
    rows = random_rows(runtime, 8)
    whole = read_alone(runtime, rows)
    before = runtime.open(10)
    read(runtime, before, rows[:row])
    for c in range(num_channels):
        peers = [other for other in range(num_channels) if other != c]
        changed = _with_other_cell(rows, row, c, runtime.vocab_size)
        prefilled = read_alone(runtime, changed)
        decoded = decode(runtime, before.fork(), changed[row : row + 1])[0]
        assert_same(prefilled[:row], whole[:row], f"law 6: channel {c} seen by earlier rows")
        if peers:
            assert_same(prefilled[row, peers], whole[row, peers], f"law 6: {c} seen by peers")
            assert_same(decoded[peers], whole[row, peers], f"law 6: {c} seen by peers in decode")
        assert_seen(prefilled[row, c], whole[row, c], f"law 6: channel {c} seen by itself")
        assert_seen(decoded[c], whole[row, c], f"law 6: channel {c} seen by itself in decode")


def check_yes_look(runtime: AnyRuntime) -> None:
    """Law 7: a cell changes the later rows, in every channel: the next one and a far one."""
    num_channels, row, far = runtime.layout.num_channels, 3, 15
    rows = random_rows(runtime, 16)
    whole = read_alone(runtime, rows)
    for c in range(num_channels):
        changed = _with_other_cell(rows, row, c, runtime.vocab_size)
        prefilled = read_alone(runtime, changed)
        state = runtime.open(20)
        read(runtime, state, changed[: row + 1])
        decoded = decode(runtime, state, changed[row + 1 : row + 2])[0]
        for target in range(num_channels):
            arrow = f"law 7: channel {c} arrives in {target}"
            assert_seen(prefilled[row + 1, target], whole[row + 1, target], arrow)
            assert_seen(decoded[target], whole[row + 1, target], f"{arrow} in decode")
            assert_seen(prefilled[far, target], whole[far, target], f"{arrow} after many rows")


def check_permutation(
    runtime: AnyRuntime, permuted: AnyRuntime, permutation: Sequence[int]
) -> None:
    """Law 8: permuted channels with permuted embeddings give permuted logits.

    Channel i of `permuted` is channel permutation[i] of `runtime`.
    """
    columns = list(permutation)
    rows = random_rows(runtime, 9)
    expected = read_alone(runtime, rows)[:, columns]
    assert_same(read_alone(permuted, rows[:, columns]), expected, "law 8: prefill")
    decoded = decode(permuted, permuted.open(10), rows[:, columns])
    assert_same(decoded, expected, "law 8: decode")


def check_channel_identity(runtime: AnyRuntime) -> None:
    """Law 8, what arrives: channels that read the same tokens differ, by their embeddings."""
    rows = np.repeat(random_rows(runtime, 5)[:, :1], runtime.layout.num_channels, axis=1)
    for name, logits in (
        ("prefill", read_alone(runtime, rows)),
        ("decode", decode(runtime, runtime.open(5), rows)),
    ):
        for c in range(1, runtime.layout.num_channels):
            assert_seen(logits[:, c], logits[:, c - 1], f"law 8: {name}, channels {c - 1} and {c}")


def check_conv_streaming(conv_only: AnyRuntime) -> None:
    """Law 9: conv row by row == conv over the whole column.

    `conv_only` has attention layers that add nothing, so that nothing but the conv remembers.
    """
    rows = random_rows(conv_only, 12)
    whole = read_alone(conv_only, rows)
    state = conv_only.open(20)
    streamed = np.concatenate(
        [read(conv_only, state, rows[:5]), decode(conv_only, state, rows[5:])]
    )
    assert_same(streamed, whole, "law 9: streamed")
    forgetful = read_alone(conv_only, rows[5:])
    assert_seen(streamed[5], forgetful[0], "law 9: the conv's past arrives")


def check_conv_channels(conv_only: AnyRuntime, conv_width: int) -> None:
    """Law 9: the conv carries a cell where its mode says and nowhere else.

    column: to later rows of its own channel. row_boundary: to later rows of all channels if the
    cell is one of the last W-1 of its row, else nowhere.
    """
    num_channels, row = conv_only.layout.num_channels, 4
    rows = random_rows(conv_only, 10)
    whole = read_alone(conv_only, rows)
    for c in range(num_channels):
        changed = _with_other_cell(rows, row, c, conv_only.vocab_size)
        logits = decode(conv_only, conv_only.open(20), changed)
        for target in range(num_channels):
            at_boundary = c >= num_channels - (conv_width - 1)
            column = conv_only.layout.conv_mode is ConvMode.COLUMN
            arrow = f"law 9: conv from channel {c} to {target}"
            if c == target if column else at_boundary:
                assert_seen(logits[row + 1, target], whole[row + 1, target], arrow)
            else:
                assert_same(logits[row + 1 :, target], whole[row + 1 :, target], arrow)
            if c != target:
                assert_same(logits[row, target], whole[row, target], f"{arrow} in the same row")


def check_fork(runtime: AnyRuntime) -> None:
    """Law 10: a fork continues its parent's past and leaves the parent untouched."""
    past, one, two = (random_rows(runtime, n, seed) for seed, n in enumerate((6, 4, 4)))
    expected_one = read_alone(runtime, np.concatenate([past, one]))[6:]
    expected_two = read_alone(runtime, np.concatenate([past, two]))[6:]
    parent = runtime.open(20)
    read(runtime, parent, past)
    child, grandchild = parent.fork(), parent.fork().fork()
    said_one, said_two = [], []
    for row in range(4):  # in turns: rows at the same place, which they must not share
        said_two.append(decode(runtime, child, two[row : row + 1]))
        assert parent.num_rows == 6 + row, "law 10: rows of the parent"
        said_one.append(decode(runtime, parent, one[row : row + 1]))
    assert_same(np.concatenate(said_two), expected_two, "law 10: the fork")
    assert_same(np.concatenate(said_one), expected_one, "law 10: the parent")
    assert_identical(child.tokens_RC, np.concatenate([past, two]), "law 10: tokens of the fork")
    assert_identical(parent.tokens_RC, np.concatenate([past, one]), "law 10: tokens of the parent")
    assert_same(read(runtime, grandchild, two), expected_two, "law 10: a fork of a fork, later")
    assert_seen(expected_one, expected_two, "law 10: the two went different ways")
    _check_room_of_forks(runtime, past, one, expected_one)
    runtime.truncate(child, 2)
    read(runtime, child, one)
    runtime.truncate(parent, 6)
    assert_same(read(runtime, parent, two), expected_two, "law 10: the parent, cut back")


def _check_room_of_forks(runtime: AnyRuntime, past: Tokens, rows: Tokens, expected: Logits) -> None:
    """A fork into another room, and out of it again, goes on as its parent does."""
    for room in (6, 7, 33):
        parent = runtime.open(20)
        read(runtime, parent, past)
        state = parent.fork(room)
        assert (state.num_rows, state.max_rows) == (6, room), "law 10: room of a fork"
        num_said = min(room - 6, 2)
        if num_said:
            said = decode(runtime, state, rows[:num_said])
            assert_same(said, expected[:num_said], "law 10: a fork into another room")
        said = decode(runtime, state.fork(20), rows[num_said:])
        assert_same(said, expected[num_said:], "law 10: a fork of it in the old room")


def check_truncate(runtime: AnyRuntime, lengths: Sequence[int] = (0, 1, 31, 32, 33, 69)) -> None:
    """Law 11: truncate(n) == never having run the rows from n on."""
    rows, tail = random_rows(runtime, 70), random_rows(runtime, 3, seed=1)
    long = runtime.open(80)
    read(runtime, long, rows[:20])
    read(runtime, long, rows[20:])
    for n in lengths:
        expected = read_alone(runtime, np.concatenate([rows[:n], tail]))[n:]
        state = long.fork()
        runtime.truncate(state, n)
        assert state.num_rows == n, f"law 11: rows after truncate({n})"
        assert np.array_equal(state.tokens_RC, rows[:n]), f"law 11: tokens after truncate({n})"
        assert_same(decode(runtime, state, tail), expected, f"law 11: after truncate({n})")
        if n < 69:
            skipped = read(runtime, long.fork(), tail)
            assert_seen(expected, skipped, f"law 11: rows after {n} had mattered")
    runtime.truncate(long, 70)
    runtime.truncate(long, 50)
    read(runtime, long, rows[50:66])
    runtime.truncate(long, 65)
    expected = read_alone(runtime, np.concatenate([rows[:65], tail]))[65:]
    assert_same(read(runtime, long, tail), expected, "law 11: cut, grown and cut again")


def check_save_and_load(runtime: AnyRuntime, directory: Path) -> None:
    """Law 12: save and load mid-sentence == uninterrupted, also for a later truncate."""
    rows = random_rows(runtime, 44)
    expected = read_alone(runtime, rows)
    state = runtime.open(50)
    read(runtime, state, rows[:40])
    path = directory / "state"
    runtime.save_state(state, path)
    loaded = runtime.load_state(path)
    assert loaded.num_rows == 40, "law 12: rows"
    assert loaded.max_rows == 50, "law 12: room"
    assert_identical(loaded.tokens_RC, rows[:40], "law 12: tokens")
    assert_same(decode(runtime, loaded, rows[40:]), expected[40:], "law 12: after loading")
    assert_same(decode(runtime, state, rows[40:]), expected[40:], "law 12: after saving")
    again = runtime.load_state(path)
    runtime.truncate(again, 34)
    assert_same(read(runtime, again, rows[34:40]), expected[34:40], "law 12: loaded and cut back")
    assert_seen(
        read_alone(runtime, rows[40:]), expected[40:], "law 12: what was saved had mattered"
    )


def check_training(
    runtime: AnyRuntime, training_logits: Callable[[NDArray[np.int32]], Logits]
) -> None:
    """Law 14: the training forward [B, R, C] -> [B, R, C, V] == decode of the same grids."""
    grids = np.stack([random_rows(runtime, 9, seed) for seed in range(2)])
    trained = training_logits(grids)
    for i, grid in enumerate(grids):
        decoded = decode(runtime, runtime.open(10), grid)
        assert_same(trained[i], decoded, f"law 14: grid {i}")
    padded = grids.copy()
    padded[0, 6:] = 0
    assert_same(
        training_logits(padded)[0, :6], trained[0, :6], "law 14: a row of padding at the end"
    )


def check_packed_training(
    runtime: AnyRuntime,
    training_logits: Callable[[NDArray[np.int32], NDArray[np.int64]], Logits],
) -> None:
    """Law 14: several conversations in one line == each of them alone, decoded.

    training_logits: tokens [B, R, C], conversation numbers [B, R] -> logits [B, R, C, V].
    """
    lengths = [[5, 9, 1, 4], [12, 6]]
    num_rows = 20
    tokens = np.zeros((len(lengths), num_rows, runtime.layout.num_channels), np.int32)
    numbers = np.full(tokens.shape[:2], -1, np.int64)
    places = []
    for line, line_lengths in enumerate(lengths):
        first = 0
        for number, length in enumerate(line_lengths):
            rows = slice(first, first := first + length)
            tokens[line, rows] = random_rows(runtime, length, seed=10 * line + number)
            numbers[line, rows] = number
            places.append((line, rows))
    packed = training_logits(tokens, numbers)
    together = training_logits(tokens, np.where(numbers < 0, -1, 0))
    for line, rows in places:
        grid = tokens[line, rows]
        decoded = decode(runtime, runtime.open(num_rows), grid)
        assert_same(packed[line, rows], decoded, f"law 14: rows {rows} of packed line {line}")
        if rows.start:
            seen = together[line, rows]
            assert_seen(seen, decoded, f"law 14: rows {rows} of line {line} see what was before")


def check_text(codec: Codec, text: str) -> None:
    """Law 17: text -> tokens -> text is the identity, and text never becomes a control token."""
    ids = codec.encode(text)
    assert codec.decode(ids) == text, f"law 17: {text!r} came back as {codec.decode(ids)!r}"
    assert codec.text(ids) == text, f"law 17: {text!r} was spoken as {codec.text(ids)!r}"
