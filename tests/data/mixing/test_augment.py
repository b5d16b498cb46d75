"""Augmentation changes when things are said: never what can be known, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from motet.data.augment import (
    Augmentation,
    Voices,
    augment,
    concatenate,
    interrupt,
    lead_silence,
    shift_silence,
)
from motet.data.augment.silence import delays, pauses
from motet.data.augment.voices import LAG
from motet.data.dice import Dice
from motet.data.token_grid import TokenGrid
from motet.errors import SettingError
from motet.streams.layout import Channel, ConvMode, Layout, Role
from tests.data.mixing.scores import (
    CHANNELS,
    END,
    ENDLESS,
    FIRST_WORD,
    SILENCE,
    VOICES,
    columns_of,
    grid_of,
    grids,
)

USER, OUTPUT, THINK = range(3)
ALWAYS = Augmentation.model_validate(
    {
        "lead_silence": {"share": 1},
        "shift_silence": {"share": 1},
        "concatenate": {"share": 1},
        "interrupt": {"share": 1},
    }
)
seeds = st.integers(0, 10_000)
Words = dict[int, tuple[int, int]]


def words_of(grid: TokenGrid) -> Words:
    """Row and channel of every word."""
    rows, channels = np.nonzero(grid.tokens_RC >= FIRST_WORD)
    tokens = grid.tokens_RC[rows, channels].tolist()
    return dict(zip(tokens, zip(rows.tolist(), channels.tolist(), strict=True), strict=True))


def is_knowable(words: Words, of: int, at: int) -> bool:
    """Whether a model that says `at` can have read `of`."""
    (row, channel), (own_row, own_channel) = words[of], words[at]
    return row + (1 if channel == own_channel else LAG) <= own_row


def peeks(before: TokenGrid, after: TokenGrid) -> list[tuple[int, int]]:
    """Words (of, at) where `at` knew `of` once and would have to foresee it now."""
    old, new = words_of(before), words_of(after)
    kept = [word for word in old if word in new]
    sampled = [word for word in kept if old[word][1] != USER]
    return [
        (of, at)
        for at in sampled
        for of in kept
        if is_knowable(old, of, at) and not is_knowable(new, of, at)
    ]


def said(grid: TokenGrid, channel: int) -> list[int]:
    column = grid.tokens_RC[:, channel]
    return column[column != SILENCE].tolist()


def keeps_marks(before: TokenGrid, after: TokenGrid) -> bool:
    """Whether targets and weights went where their words went."""
    old, new = words_of(before), words_of(after)
    pairs = [(old[word], new[word]) for word in old if word in new]
    learned = [(VOICES.learned_RC(before)[a], VOICES.learned_RC(after)[b]) for a, b in pairs]
    if before.weights_RC is not None:
        assert after.weights_RC is not None
        learned += [(before.weights_RC[a], after.weights_RC[b]) for a, b in pairs]
    return all(a == b for a, b in learned)


@given(grids(), seeds, st.sampled_from([lead_silence, shift_silence]))
def test_silence_moves_words_and_loses_none(
    grid: TokenGrid, seed: int, change: Callable[..., TokenGrid]
) -> None:
    changed = change(grid, VOICES, Dice(seed), 5)
    assert peeks(grid, changed) == []
    assert [said(changed, c) for c in range(3)] == [said(grid, c) for c in range(3)]
    assert keeps_marks(grid, changed)
    assert changed.num_rows <= grid.num_rows + 5
    assert not changed.tokens_RC[0].any()


@given(grids(), seeds)
def test_no_message_of_a_sampled_channel_is_torn(grid: TokenGrid, seed: int) -> None:
    old, new = words_of(grid), words_of(shift_silence(grid, VOICES, Dice(seed), 5))
    for channel in (OUTPUT, THINK):
        for a, b in pairwise(w for w in sorted(old, key=old.__getitem__) if old[w][1] == channel):
            if old[b][0] - old[a][0] == 1:
                assert new[b][0] - new[a][0] == 1


@given(grids(with_end=False), seeds)
def test_without_an_end_token_no_message_of_the_user_is_torn(grid: TokenGrid, seed: int) -> None:
    old, new = words_of(grid), words_of(shift_silence(grid, ENDLESS, Dice(seed), 5))
    for a, b in pairwise(w for w in sorted(old, key=old.__getitem__) if old[w][1] == USER):
        if old[b][0] - old[a][0] == 1:
            assert new[b][0] - new[a][0] == 1


def test_a_pause_is_learned_and_a_delay_is_not() -> None:
    grid = grid_of(".ab$", "......xy$", "...k$")
    kinds = set()
    for seed in range(40):
        changed = shift_silence(grid, VOICES, Dice(seed), 3)
        more_rows = changed.num_rows - grid.num_rows
        is_delay = changed.learned_RC is not None
        if changed.learned_RC is not None:
            assert int((~changed.learned_RC[:, [OUTPUT, THINK]]).sum()) == 2 * more_rows
            assert not changed.learned_RC[:, USER].any()
        kinds.add((is_delay, more_rows))
    assert kinds == {(kind, rows) for kind in (False, True) for rows in (1, 2, 3)}


def test_where_the_user_may_halt() -> None:
    grid = grid_of(".ab$", "......xy$", "...k$")
    assert [cuts.tolist() for cuts in pauses(grid, VOICES)] == [[1, 3, 3], [3, 5, 5]]  # not in "k$"
    assert [cuts.tolist() for cuts in delays(grid, VOICES)] == [[9, 3, 3], [9, 6, 6]]


@given(grids(), grids(first_word=1_000), seeds)
def test_concatenation_keeps_both(first: TokenGrid, second: TokenGrid, seed: int) -> None:
    joined = concatenate(first, second, VOICES, Dice(seed), 4)
    assert [said(joined, c) for c in range(3)] == [
        said(first, c) + said(second, c) for c in range(3)
    ]
    for part in (first, second):
        assert peeks(part, joined) == []
        assert keeps_marks(part, joined)
    num_gap_rows = joined.num_rows - first.num_rows - (second.num_rows - 1)
    assert 1 <= num_gap_rows <= 4
    assert joined.id == "g2+g1000"
    assert joined.meta == {}


@given(grids(), grids(first_word=1_000), seeds)
def test_an_interruption_is_heard_two_rows_later(
    first: TokenGrid, second: TokenGrid, seed: int
) -> None:
    joined = interrupt(first, second, VOICES, Dice(seed))
    if joined is None:
        return
    old, both, new = words_of(first), words_of(second), words_of(joined)
    assert set(both) <= set(new)
    assert peeks(first, joined) == []
    assert peeks(second, joined) == []
    assert keeps_marks(first, joined)
    assert keeps_marks(second, joined)
    told = np.flatnonzero(second.tokens_RC[:, USER])[0]  # the User's first cell of `second`
    row = next((new[word][0] - (r - told) for word, (r, c) in both.items() if c == USER), None)
    if row is None:
        return  # the User only ends in it
    kept = {word for word, (r, c) in old.items() if c == USER or r < row + LAG}
    assert {word for word in new if word < 1_000} == kept
    assert all(new[word] == old[word] for word in kept)
    if row + LAG >= first.num_rows:
        return  # all has ended by itself before it could hear
    for channel in (OUTPUT, THINK):
        last, stop = joined.tokens_RC[row + LAG - 1 : row + LAG + 1, channel].tolist()
        was_torn = first.tokens_RC[row + LAG, channel] != SILENCE and last >= FIRST_WORD
        assert not was_torn or stop == END


def test_output_stops_with_an_end_and_answers_what_came() -> None:
    first = grid_of(".ab$", ".......efghij$", "...12.3.$", name="a")
    second = grid_of("....cd$", ".........kl$", ".......45$", name="b")
    found = {tuple(columns_of(cut(first, second, seed))) for seed in range(60)}
    assert found == {
        (".ab$..cd$", ".......e$..kl$", "...12.3.$45$"),
        (".ab$...cd$", ".......ef$..kl$", "...12.3.$.45$"),
        (".ab$....cd$", ".......efg$..kl$", "...12.3.$..45$"),
        (".ab$.....cd$", ".......efgh$..kl$", "...12.3.$...45$"),
        (".ab$......cd$", ".......efghi$..kl$", "...12.3.$....45$"),
        (".ab$.......cd$", ".......efghij$..kl$", "...12.3.$.....45$"),
    }


def test_who_waits_between_two_runs_of_a_message_ends_too() -> None:
    first = grid_of(".a$", "....efg$", "...1....2$")  # Think says 2 and ends once Output is done
    second = grid_of(".b$", "....k$", "")
    found = {tuple(columns_of(cut(first, second, seed))) for seed in range(20)}
    assert (".a$.b$", "....ef$k$", "...1..$") in found


def test_without_an_end_token_who_is_cut_off_falls_silent() -> None:
    first, second = grid_of(".ab", "......efg", ""), grid_of(".c", ".....k", "")
    found = set()
    for seed in range(20):
        joined = interrupt(first, second, ENDLESS, Dice(seed))
        assert joined is not None
        found.add(tuple(columns_of(joined)[:2]))
    assert found == {(".ab..c", "......e..k"), (".ab...c", "......ef..k")}


def test_an_answer_that_would_come_while_others_end_waits() -> None:
    joined = cut(grid_of(".a$", "...efgh$", ""), grid_of(".b$.c$", "..k$..l$", ""), 3)
    user, output, _ = columns_of(joined)
    assert output.index("$") < output.index("k")
    assert output.index("l") - output.index("k") == 4
    assert user.index("c") - user.index("b") == 5  # two rows more: the next message waited too


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (grid_of(".a$", "", ""), grid_of(".b$", "", "")),  # nobody speaks
        (grid_of(".", "...efgh$", ""), grid_of(".b$", "", "")),  # the User has said nothing
        (grid_of(".a$", "...efgh$", ""), grid_of("....", ".e$", "")),  # Output begins
        (grid_of(".a$", "...efgh$", ""), grid_of("....", "", "")),  # nobody does
        (grid_of(".abcdefgh$", "...efgh$", ""), grid_of(".b$", "", "")),  # the User speaks on
    ],
)
def test_where_nobody_can_be_interrupted(first: TokenGrid, second: TokenGrid) -> None:
    assert interrupt(first, second, VOICES, Dice(0)) is None


def cut(first: TokenGrid, second: TokenGrid, seed: int) -> TokenGrid:
    joined = interrupt(first, second, VOICES, Dice(seed))
    assert joined is not None
    return joined


@given(grids(), grids(first_word=1_000), grids(first_word=2_000), seeds, st.integers(1, 60))
def test_a_sample_stays_within_its_rows(
    first: TokenGrid, second: TokenGrid, third: TokenGrid, seed: int, max_rows: int
) -> None:
    parts = [first, second, third]
    sample = augment(parts, VOICES, ALWAYS.model_copy(update={"max_rows": max_rows}), Dice(seed))
    num_joined_rows = sum(part.num_rows for part in parts) + 2 * (8 + LAG + 1)
    assert sample.num_rows <= max(max_rows, num_joined_rows)
    for part in parts:
        assert peeks(part, sample) == []
    again = augment(parts, VOICES, ALWAYS.model_copy(update={"max_rows": max_rows}), Dice(seed))
    assert again.tokens_RC.tobytes() == sample.tokens_RC.tobytes()


def test_nothing_is_changed_unless_asked_for() -> None:
    grid = grid_of(".a$", "....b$", "")
    assert augment([grid], VOICES, Augmentation(), Dice(0)) is grid
    assert Augmentation().is_none
    assert not ALWAYS.is_none


@pytest.mark.parametrize(
    "wrong",
    [
        {"lead_silence": {"share": 1.5}},
        {"lead_silence": {"rows": 3}},
        {"shift_silence": {"max_rows": 0}},
        {"concatenate": {"max_turns": 1}},
        {"interrupt": {"share": 0.5}},  # there is never a second turn
        {"jitter": 1},
        {"max_rows": "many"},
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Augmentation.model_validate(wrong)


def test_a_layout_without_silence_cannot_be_augmented() -> None:
    layout = Layout((Channel("Text", Role.OUTPUT),), None, None, ConvMode.COLUMN, False)
    with pytest.raises(SettingError, match="silence token"):
        Voices.of(layout)


def test_opening_rows_are_nobodys_and_stay_in_front() -> None:
    voices = Voices(CHANNELS, SILENCE, END, 2)
    grid = grid_of("ww.a$", "xx", "yy....k$")  # two rows of warm start
    led = lead_silence(grid, voices, Dice(0), 1)
    assert columns_of(led) == ["ww..a$", "xx", "yy.....k$"]
    joined = concatenate(grid, grid, voices, Dice(0), 1)
    assert columns_of(joined) == ["ww.a$.....a$", "xx", "yy....k$.....k$"]
