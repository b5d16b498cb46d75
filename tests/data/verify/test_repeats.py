"""Duplicates and overlap: held against sets that are compared one by one."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest

from motet.data.table import Table
from motet.data.verify.duplicates import (
    BAND_ROWS,
    NUM_BANDS,
    Duplicates,
    Fingerprint,
    jaccard,
    signature,
)
from motet.data.verify.overlap import Evaluations, Item, read_items
from motet.data.verify.words import run_hashes, words_of
from motet.errors import DataError, SettingError
from tests.data.verify.conversations import table_of

WORDS = [f"word{n}" for n in range(400)]


def said(text: str, name: str = "t", reply: str = "") -> Table:
    return table_of(text, reply, name=name)


def sentence(rng: Random, num_words: int = 60) -> list[str]:
    return [rng.choice(WORDS) for _ in range(num_words)]


def runs_by_hand(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def check_all(texts: dict[str, str], similarity: float = 0.8) -> dict[str, tuple[str, str | None]]:
    duplicates = Duplicates(similarity)
    found = {}
    for name, text in texts.items():
        if (finding := duplicates.check(Fingerprint.of(said(text, name)))) is not None:
            found[name] = (finding.kind, finding.other)
    return found


def test_the_same_words_are_an_exact_duplicate_whatever_their_dress() -> None:
    found = check_all({"a": "Hello there, you!", "b": "hello  THERE you", "c": "hello there we"})
    assert found == {"b": ("exact", "a")}


def test_the_same_words_by_somebody_else_are_other_words() -> None:
    duplicates = Duplicates(similarity=1.0)
    long = "one two three four"  # of no run that two channels would share
    tables = [said(f"{long} five six", "a"), said(long, "b", reply="five six")]
    assert [duplicates.check(Fingerprint.of(table)) for table in tables] == [None, None]


def test_near_duplicates_are_those_whose_sets_say_so() -> None:
    """Every pair is compared by hand; none is missed, none is made up."""
    rng = Random(0)
    texts: dict[str, list[str]] = {}
    for number in range(40):
        base = sentence(rng)
        texts[f"{number}"] = base
        for changes in (1, 2, 4):
            changed = list(base)
            for place in rng.sample(range(len(base)), changes):
                changed[place] = rng.choice(WORDS)
            texts[f"{number}~{changes}"] = changed
    found = check_all({name: " ".join(words) for name, words in texts.items()})
    names = list(texts)
    kept: list[str] = []
    for name in names:
        runs = runs_by_hand(texts[name])
        similar = {
            other: len(runs & runs_by_hand(texts[other])) / len(runs | runs_by_hand(texts[other]))
            for other in kept
        }
        best = max(similar, key=lambda other: similar[other], default=None)
        if best is not None and similar[best] >= 0.8:
            assert name in found, f"{name} is similar to {best}"
            assert found[name][1] == best
        else:
            assert name not in found
            kept.append(name)
    assert 20 < len(found) < 120


def test_minhash_estimates_the_similarity() -> None:
    rng = Random(1)
    for share in (0.2, 0.5, 0.8):
        both = sentence(rng, int(400 * share))
        sets = [both + [f"{side}{i}" for i in range(int(400 * (1 - share) / 2))] for side in "xy"]
        a, b = (np.unique(run_hashes(words, 1)) for words in sets)
        estimate = float((signature(a) == signature(b)).mean())
        error = (jaccard(a, b) * (1 - jaccard(a, b)) / (NUM_BANDS * BAND_ROWS)) ** 0.5
        assert estimate == pytest.approx(jaccard(a, b), abs=4 * error)


def test_jaccard_is_that_of_sets() -> None:
    for a, b in combinations([set(), {1}, {1, 2}, {2, 3, 4}, {9}], 2):
        arrays = [np.array(sorted(s), np.uint64) for s in (a, b)]
        assert jaccard(*arrays) == len(a & b) / len(a | b)


def test_conversations_of_few_words() -> None:
    found = check_all({"a": "Hi", "b": "Hello", "c": "Hi!", "d": "", "e": "..."})
    assert found == {"c": ("exact", "a"), "e": ("exact", "d")}


def test_many_alike_do_not_take_for_ever() -> None:
    texts = {
        f"{n}": "the quick brown fox jumps over the lazy dog " * 3 + f"x{n}" for n in range(300)
    }
    assert len(check_all(texts)) == 299


@pytest.mark.parametrize("similarity", [0.0, -1.0, 1.5])
def test_a_similarity_that_is_none(similarity: float) -> None:
    with pytest.raises(SettingError):
        Duplicates(similarity)


QUESTION = "Natalia sold clips to 48 of her friends in April and then she sold half as many in May"


def overlaps(text: str, num_words: int = 13, *, mask_numbers: bool = False) -> str | None:
    items = [Item("set:1", "How are you?"), Item("set:2", QUESTION), Item("set:3", "a b c d e f")]
    evaluations = Evaluations(items, num_words, mask_numbers=mask_numbers)
    finding = evaluations.check(said(text))
    return None if finding is None else finding.other


def test_a_run_of_words_is_an_overlap() -> None:
    words = QUESTION.split()
    assert overlaps("Listen: " + " ".join(words[2:15]).upper() + "!") == "set:2"
    assert overlaps(" ".join(words[2:14])) is None
    assert overlaps(" ".join(words[2:14]), num_words=12) == "set:2"


def test_short_items_are_met_whole_and_shorter_ones_never() -> None:
    assert overlaps("Say a b c d e f now") == "set:3"
    assert overlaps("Say a b c d e now") is None
    assert overlaps("How are you?") is None
    assert Evaluations([Item("set:1", "How are you?")]).num_short == 1


def test_other_numbers_are_met_if_numbers_are_masked() -> None:
    other = QUESTION.replace("48", "1,250.5")
    assert overlaps(other, 18) is None
    assert overlaps(other, 18, mask_numbers=True) == "set:2"


def test_every_channel_is_looked_at() -> None:
    finding = Evaluations([Item("set:2", QUESTION)]).check(said("", reply=QUESTION))
    assert finding is not None
    assert finding.channel == "Output"


def test_runs_of_less_than_five_words_are_refused() -> None:
    with pytest.raises(SettingError, match="at least 5"):
        Evaluations([], 4)


def test_words_keep_letters_of_any_script() -> None:
    assert words_of("Größe: 3,5 — ДА_нет 漢字") == ["grösse", "3", "5", "да", "нет", "漢字"]
    assert words_of("3,500.25 or 7", mask_numbers=True) == ["0", "or", "0"]


def test_evaluation_sets_are_read(tmp_path: Path) -> None:
    lines = [{"question": "one"}, {"text": "two", "question": "three"}]
    path = tmp_path / "set.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)), "utf-8")
    assert list(read_items(path)) == [Item("set.jsonl:1", "one"), Item("set.jsonl:3", "three")]
    plain = tmp_path / "set.txt"
    plain.write_text("one\ntwo\n", "utf-8")
    assert [item.text for item in read_items(plain)] == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"question": "a"}\n{"prompt_": "b"}', "set.jsonl:2: expected a text in question or"),
        (b'{"question": 3}', "set.jsonl:1"),
        (b"[1]", "set.jsonl:1: expected an object"),
        (b"{", "set.jsonl:1: expected JSON"),
        (b"\xff\xfe", "UTF-8"),
    ],
)
def test_broken_evaluation_sets(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(read_items(path))
    with pytest.raises(DataError, match="such"):
        list(read_items(tmp_path / "none.jsonl"))
