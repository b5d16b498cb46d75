"""Prompts: what comes with Motet is whole and keeps its own rules; what is not whole is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from motet.corpora.acceptance import check_conversation
from motet.corpora.prompt import load_prompt, packaged_prompts
from motet.corpora.sound import check_sound
from motet.corpora.written import read_written
from motet.data.dice import Dice
from motet.data.table import Table
from motet.errors import InputError

PLAIN = """
name = "plain"
version = 3
purpose = "To be tested."
system = "Channels: {% for c in channels %}{{ c.name }} {% endfor %}"
user = "Write of {{ what }}."
[[channels]]
name = "User"
role = "input"
[[channels]]
name = "Output"
role = "output"
[limits]
max_rows = 10
max_cell_words = 3
[slots]
what = ["rain", "snow"]
"""
ALL = [f"{name}@{version}" for name, versions in packaged_prompts().items() for version in versions]


def test_what_comes_with_motet() -> None:
    assert ALL == ["interruption@1", "problem@1", "talk@1"]
    assert load_prompt("talk").label == "talk@1"


@pytest.mark.parametrize("reference", ALL)
def test_the_example_in_a_prompt_is_one_that_would_be_kept(reference: str) -> None:
    prompt = load_prompt(reference)
    system = prompt.messages(prompt.draw(Dice(0)))[0]["content"]
    written = read_written(system.partition("An example:")[2], [c.name for c in prompt.channels])
    assert written.repairs == ()
    check_conversation(written.rows, prompt)
    check_sound(Table("example", prompt.channels, written.rows, {"source": "here"}))


@pytest.mark.parametrize("reference", ALL)
def test_a_prompt_asks_what_it_says(reference: str) -> None:
    prompt = load_prompt(reference)
    dice = Dice("drawn", 1)
    for _ in range(50):
        values = prompt.draw(dice)
        system, user = prompt.messages(values)
        assert {system["role"], user["role"]} == {"system", "user"}
        assert all(channel.name in system["content"] for channel in prompt.channels)
        assert "{{" not in system["content"] + user["content"]
    if prompt.file.takes_question:
        user = prompt.messages(values, "How far is it?", "12")[1]
        assert "How far is it?" in user["content"]
        assert "12" in user["content"]


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    path.write_text(PLAIN)
    prompt = load_prompt(str(path))
    assert prompt.label == "plain@3"
    assert prompt.messages({"what": "rain"}) == (
        {"role": "system", "content": "Channels: User Output"},
        {"role": "user", "content": "Write of rain."},
    )
    assert {prompt.draw(Dice(n))["what"] for n in range(20)} == {"rain", "snow"}


def test_the_digest_is_of_all_that_is_said(tmp_path: Path) -> None:
    path, piece = tmp_path / "plain.toml", tmp_path / "piece.txt"
    path.write_text(PLAIN.replace("Channels:", "{% include 'piece.txt' %}"))
    digests = set()
    for text in ("One.", "Two.", "One."):
        piece.write_text(text)
        prompt = load_prompt(str(path))
        assert text in prompt.messages({"what": "rain"})[0]["content"]
        digests.add(prompt.digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 3", "version = 3\nversions = 4", "versions"),
        ("version = 3", 'version = "3x"', "version"),
        ("version = 3", "version = ", "TOML"),
        ("{{ what }}", "{{ where }}", "where"),
        ("{{ what }}", "rain", "what"),
        ("{{ what }}", "{{ what }", "Jinja"),
        ("{{ what }}", "{{ what }} {{ question }}", "takes_question"),
        ("{{ what }}", "{% include 'nothing.txt' %}{{ what }}", "nothing.txt"),
        ("{{ what }}", "{{ what.__class__.__mro__ }}", "filled in"),
        ('role = "output"', 'role = "thought"', "exactly one output"),
        ('role = "output"', 'role = "loud"', "role"),
        ('name = "Output"', 'name = "User"', "distinct"),
        ("max_rows = 10", 'max_rows = 10\nmust_speak = ["Think"]', "Think"),
        ("max_rows = 10", "max_rows = 0", "max_rows"),
        ('["rain", "snow"]', "[]", "slots.what"),
        ("[slots]", '[slots]\nanswer = ["a"]', "answer"),
        ("[slots]", '[planting]\nslot = "no"\nchannel = "User"\n[slots]', "planting"),
    ],
)
def test_a_broken_prompt_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = tmp_path / "plain.toml"
    assert old in PLAIN
    path.write_text(PLAIN.replace(old, new))
    with pytest.raises(InputError, match=re.escape(told)) as caught:
        load_prompt(str(path))
    assert "plain.toml" in str(caught.value)


@pytest.mark.parametrize("reference", ["nothing", "problem@9", "Problem", "", "no.toml"])
def test_a_prompt_that_is_not_there(reference: str) -> None:
    with pytest.raises(InputError):
        load_prompt(reference)


def test_the_prompt_in_the_documentation(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "synthesis.md").read_text("utf-8")
    path = tmp_path / "plain.toml"
    path.write_text(page.partition("```toml\n")[2].partition("```")[0])
    prompt = load_prompt(str(path))
    assert "1 to 4 words" in prompt.messages(prompt.draw(Dice(0)))[0]["content"]
    example = page.partition("```json\n")[2].partition("```")[0]
    assert (
        example in load_prompt("problem").messages({"mistake": ""}, "?", "7")[0]["content"] + "\n"
    )
