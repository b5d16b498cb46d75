"""Stop strings never reach the reader, and it does not matter how the text is cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from motet.server.openai.stopping import StopStrings

TEXTS = st.text("abc", max_size=30)
STOPS = st.lists(st.text("abc", min_size=1, max_size=4), max_size=4)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


def run(text: str, stops: list[str], cuts: list[int]) -> tuple[str, str | None]:
    watch = StopStrings(stops)
    shown = "".join(map(watch.push, pieces_of(text, cuts)))
    return shown + watch.flush(), watch.found


def expected(text: str, stops: list[str]) -> tuple[str, str | None]:
    """The stop that is complete first; of those, the longest."""
    for end in range(len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            longest = max(found, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(TEXTS, STOPS, st.lists(st.integers(0, 30)))
def test_the_same_however_it_is_cut(text: str, stops: list[str], cuts: list[int]) -> None:
    assert run(text, stops, cuts) == expected(text, stops)


@given(TEXTS, STOPS)
def test_holds_back_no_more_than_a_beginning_of_a_stop(text: str, stops: list[str]) -> None:
    watch = StopStrings(stops)
    shown = ""
    for count, letter in enumerate(text, start=1):
        shown += watch.push(letter)
        if watch.found is not None:
            return
        held = text[len(shown) : count]
        assert not held or any(stop.startswith(held) and stop != held for stop in stops)


def test_holds_only_a_beginning_of_a_stop() -> None:
    watch = StopStrings(["END"])
    assert watch.push("the E") == "the "
    assert watch.push("N") == ""
    assert watch.push("T!") == "ENT!"
    assert watch.found is None


def test_nothing_comes_after_a_stop() -> None:
    watch = StopStrings(["."])
    assert watch.push("a.b") == "a"
    assert watch.push("c") == ""
    assert watch.flush() == ""
    assert watch.found == "."
