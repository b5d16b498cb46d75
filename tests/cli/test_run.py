"""`motet run` with one message."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Motet

ROWS = ("--max-rows", 40)
PROMPTS = [
    "hello world",
    "  two before, three after   ",
    "def f(x):\n\treturn x ** 2  # squared\n\n\nprint(f(3))\n",
    "👩‍👩‍👧 🏳️‍🌈 e\u0301 漢字 \u200d\u00a0!",
    "a - b - c <silence> <end> <|im_start|>",
    "windows\r\nlines\rand\ttabs",
    "[bold]no markup[/bold] :smile:",
]
KEYS = {
    "model": str,
    "seed": int,
    "rows": int,
    "channels": dict,
    "grid": list,
    "ttft_rows": int,
    "seconds": float,
    "rows_per_s": float,
    "stopped_by": str,
}


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("feed", ["live", "prefill"])
def test_json_says_what_was_typed_and_its_grid_joins_to_the_channels(
    motet: Motet, own: Path, prompt: str, feed: str
) -> None:
    result = motet("run", own, prompt, "--json", "--max-rows", 120, "--feed", feed)
    assert result.code == 0
    assert result.err == ""
    assert result.out.count("\n") == 1
    document = result.json
    assert {key: type(value) for key, value in document.items()} == KEYS
    assert document["model"] == "own"
    assert list(document["channels"]) == ["User", "Output", "Think"]
    assert document["channels"]["User"] == prompt
    assert document["rows"] == len(document["grid"])
    columns = zip(*document["grid"], strict=True)
    for text, column in zip(document["channels"].values(), columns, strict=True):
        joined = "".join(column)
        assert text == joined


def test_ttft_is_null_if_output_never_spoke(motet: Motet, own: Path) -> None:
    document = motet("run", own, "hi", "--json", *ROWS, "--ablate", "Output").json
    assert document["ttft_rows"] is None
    assert document["channels"]["Output"] == ""
    assert document["channels"]["Think"] != ""


def test_same_seed_same_grid_other_seed_other_grid(motet: Motet, own: Path) -> None:
    def grid(seed: int) -> object:
        return motet("run", own, "hi", "--json", *ROWS, "--seed", seed).json["grid"]

    assert grid(5) == grid(5)
    assert grid(5) != grid(6)


def test_plain_output_has_every_channel_and_a_summary(motet: Motet, own: Path) -> None:
    result = motet("run", own, "first\n  [bold]second[/bold] :smile:", *ROWS)
    assert result.code == 0
    assert result.err == ""
    *lines, last = result.out.splitlines()
    assert re.fullmatch(
        r"41 rows in \d+\.\d\d s, \d+ rows/s; Output first spoke at row \d+; stopped by max_rows",
        last,
    )
    assert [line for line in lines if line.startswith("User")] == [
        "User: first",
        "User:   [bold]second[/bold] :smile:",
    ]
    assert {line.partition(":")[0] for line in lines} == {"User", "Output", "Think"}


def test_control_characters_of_a_model_stay_away_from_the_terminal(motet: Motet, own: Path) -> None:
    """A random model says every byte there is, ESC among them."""
    hot = ("--max-rows", 200, "--temperature", 50, "--top-k", 0, "--top-p", 1)
    told, shown = motet("run", own, "x", "--json", *hot), motet("run", own, "x", *hot)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f]", "".join(told.json["channels"].values()))
    for out in (told.out, shown.out):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e]", out)


def test_ablated_channels_are_silent(motet: Motet, own: Path) -> None:
    document = motet("run", own, "hi", "--json", *ROWS, "--ablate", "Think").json
    assert document["channels"]["Think"] == ""
    assert document["channels"]["Output"] != ""


def test_prefill_reads_the_message_before_anyone_speaks(motet: Motet, own: Path) -> None:
    def rows_before_speech(feed: str) -> int:
        document = motet("run", own, "hello world", "--json", *ROWS, "--feed", feed).json
        spoken = [i for i, (_, *others) in enumerate(document["grid"]) if any(others)]
        return spoken[0]

    assert rows_before_speech("live") < 4 < rows_before_speech("prefill")


def test_max_rows_counts_the_rows_of_the_turn(motet: Motet, own: Path) -> None:
    document = motet("run", own, "hi", "--json", "--max-rows", 17).json
    assert (document["rows"], document["stopped_by"]) == (18, "max_rows")


def test_a_turn_may_fill_all_the_context_there_is(motet: Motet, own: Path) -> None:
    arguments = ("--json", "--max-rows", 5000, "--top-k", 0, "--temperature", 9)
    document = motet("run", own, "hi", *arguments).json
    assert (document["rows"], document["stopped_by"]) == (600, "context")


CHANGES = [
    ("--temperature", 5),
    ("--temperature", 0),
    ("--top-k", 2),
    ("--top-p", 0.3),
    ("--min-p", 0.5),
    ("--repetition-penalty", 3),
    ("--presence-penalty", 9),
    ("--frequency-penalty", 9),
    ("--sampling", "Think:temperature=4"),
    ("--sampling", "Output:top_k=1,top_p=0.5"),
    ("--silence-penalty-output", -60),
    ("--silence-penalty-thought", -60),
    ("--dtype", "bfloat16"),
    ("--conv-mode", "row_boundary"),
    ("--feed", "prefill"),
    ("--ablate", "Think"),
    ("--seed", 9),
    ("--max-rows", 60),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda pair: f"{pair[0]}={pair[1]}")
def test_every_knob_changes_the_rows(motet: Motet, own: Path, change: tuple[str, object]) -> None:
    usual = ("run", own, "hello there", "--json", "--max-rows", 70)
    plain, changed = motet(*usual), motet(*usual, *change)
    assert changed.code == plain.code == 0
    assert changed.json["grid"] != plain.json["grid"]


def test_a_channels_own_sampling_leaves_the_first_draw_of_the_others_alone(
    motet: Motet, own: Path
) -> None:
    def first_sampled_row(*arguments: object) -> list[str]:
        usual = ("run", own, "hello there", "--json", "--max-rows", 30)
        return list(motet(*usual, *arguments).json["grid"][1])

    before = first_sampled_row()
    after = first_sampled_row("--sampling", "Think:temperature=90,top_k=0,top_p=1")
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_quiet_and_mute_rows_end_turns(motet: Motet, own: Path) -> None:
    """With a negative penalty everybody falls silent once the User has spoken."""
    hush = ("--silence-penalty-output", -90, "--silence-penalty-thought", -90, "--json")

    def ended(*arguments: object) -> tuple[int, str]:
        document = motet("run", own, "hello there", *hush, *arguments).json
        return document["rows"], document["stopped_by"]

    short, long = ended("--quiet-rows", 3), ended("--quiet-rows", 9)
    assert (short[1], long[1]) == ("end", "end")
    assert long[0] == short[0] + 6
    short, long = ended("--ablate", "Output"), ended("--ablate", "Output", "--mute-rows", 70)
    assert (short[1], long[1]) == ("mute", "mute")
    assert long[0] == short[0] + 6


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (b"hello\n", "hello"),
        (b"hello\r\n", "hello"),
        (b" a\n\nb\n\n", " a\n\nb\n"),
        ("no newline 🙂".encode(), "no newline 🙂"),
    ],
)
def test_a_dash_reads_standard_input(motet: Motet, own: Path, typed: bytes, read: str) -> None:
    result = motet("run", own, "-", "--json", *ROWS, stdin=typed)
    assert result.json["channels"]["User"] == read


def test_a_text_may_begin_with_a_dash_after_two_of_them(motet: Motet, own: Path) -> None:
    assert motet("run", *ROWS, "--json", "--", own, "-5 + 3").json["channels"]["User"] == "-5 + 3"


def test_a_stock_model_is_one_channel(motet: Motet, stock: Path) -> None:
    document = motet("run", stock, "hello world", "--json", "--max-rows", 20).json
    assert list(document["channels"]) == ["Output"]
    assert document["channels"]["Output"].startswith("hello world")


def test_a_published_model_has_its_four_channels(motet: Motet, published: Path) -> None:
    result = motet("run", published, "a - b", "--json", "--max-rows", 20)
    assert result.json["channels"]["User"] == "a - b"
    assert list(result.json["channels"]) == ["User", "Output", "Think", "Skeptical"]


MISTAKES = [
    ((), "expected a TEXT, got none"),
    (("OWN",), "got only the model"),
    (("motet-tiny",), "got only the model"),
    (("OWN", "hi", "there"), "unexpected extra argument"),
    (("OWN", ""), "message: expected some text, got nothing"),
    (("OWN", " \n "), "got blanks"),
    (("OWN", "bell\x07"), "U+0007 at position 4"),
    (("OWN", "\x1b[31mred"), "U+001B at position 0"),
    (("OWN", "\udcff"), "surrogates"),
    (("OWN", "hi", "--max-rows", "3", "--feed", "live", "--seed", "-1"), "--seed"),
    (("OWN", "hello " * 200), "max_rows"),
    (("OWN", "hello " * 700, "--max-rows", "9000"), "600 rows"),
    (("nowhere", "hi"), "expected motet-tiny, a model directory or a GGUF file, got 'nowhere'"),
    (("OWN", "hi", "--temperature", "-1"), "temperature: expected"),
    (("OWN", "hi", "--temperature", "nan"), "temperature: expected"),
    (("OWN", "hi", "--temperature", "warm"), "--temperature"),
    (("OWN", "hi", "--top-k", "-1"), "top_k: expected"),
    (("OWN", "hi", "--top-k", "2.5"), "--top-k"),
    (("OWN", "hi", "--top-p", "0"), "top_p: expected"),
    (("OWN", "hi", "--top-p", "1.5"), "top_p: expected"),
    (("OWN", "hi", "--min-p", "2"), "min_p: expected"),
    (("OWN", "hi", "--repetition-penalty", "0"), "repetition_penalty: expected"),
    (("OWN", "hi", "--presence-penalty", "nan"), "presence_penalty: expected"),
    (("OWN", "hi", "--frequency-penalty", "101"), "frequency_penalty: expected"),
    (("OWN", "hi", "--silence-penalty-output", "inf"), "silence_penalty_output: expected"),
    (("OWN", "hi", "--silence-penalty-thought", "1000"), "silence_penalty_thought: expected"),
    (("OWN", "hi", "--quiet-rows", "0"), "--quiet-rows"),
    (("OWN", "hi", "--mute-rows", "x"), "--mute-rows"),
    (("OWN", "hi", "--max-rows", "0"), "--max-rows"),
    (("OWN", "hi", "--feed", "slowly"), "--feed"),
    (("OWN", "hi", "--ablate", "Doubt"), "expected one of User, Output, Think, got 'Doubt'"),
    (("OWN", "hi", "--ablate", "User"), "sampled channel"),
    (("OWN", "hi", "--sampling", "Think"), "CHANNEL:KNOB=VALUE"),
    (("OWN", "hi", "--sampling", "Think:"), "CHANNEL:KNOB=VALUE"),
    (("OWN", "hi", "--sampling", "Think:warmth=1"), "CHANNEL:KNOB=VALUE"),
    (("OWN", "hi", "--sampling", "Think:top_k=few"), "CHANNEL:KNOB=VALUE"),
    (("OWN", "hi", "--sampling", "Think:top_k"), "CHANNEL:KNOB=VALUE"),
    (("OWN", "hi", "--sampling", "Think:top_p=7"), "top_p: expected"),
    (("OWN", "hi", "--sampling", "Doubt:top_k=1"), "got 'Doubt'"),
    (("OWN", "hi", "--sampling", "User:top_k=1"), "sampled channel"),
    (("OWN", "hi", "--runtime", "steam"), "--runtime"),
    (("OWN", "hi", "--dtype", "int3"), "--dtype"),
    (("OWN", "hi", "--conv-mode", "diagonal"), "--conv-mode"),
    (("OWN", "hi", "--batch-size", "4"), "--batch-size: expected --input"),
    (("OWN", "hi", "--input", "x"), "expected both or neither"),
    (("OWN", "--output", "x"), "expected both or neither"),
    (("OWN", "hi", "--input", "x", "--output", "y"), "expected at most MODEL with --input"),
    (("OWN", "--json", "--input", "x", "--output", "y"), "got --json"),
    (("OWN", "hi", "--volume", "11"), "No such option: --volume"),
    (("STOCK", "hi", "--feed", "live"), "feed: expected prefill"),
    (("STOCK", "hi", "--ablate", "Output"), "silence token"),
    (("STOCK", "hi", "--silence-penalty-output", "2"), "silence token"),
    (("STOCK", "hi", "--silence-penalty-thought", "2"), "thought channel"),
    (("STOCK", "hi", "--quiet-rows", "2"), "silence token"),
]


@pytest.mark.parametrize(("arguments", "reason"), MISTAKES, ids=lambda value: repr(value)[:60])
def test_a_mistake_is_told_in_one_line(
    motet: Motet, own: Path, stock: Path, arguments: tuple[str, ...], reason: str
) -> None:
    names = {"OWN": str(own), "STOCK": str(stock)}
    assert reason in motet("run", *(names.get(a, a) for a in arguments)).complaint


def test_a_prompt_that_is_no_utf8_is_refused(motet: Motet, own: Path) -> None:
    assert "UTF-8" in motet("run", own, "-", stdin=b"caf\xe9").complaint
    assert "got nothing" in motet("run", own, "-", stdin=b"").complaint


def test_a_complaint_does_not_pass_on_control_characters(motet: Motet) -> None:
    assert "\x1b" not in motet("run", "\x1b[2Jx", "hi").complaint
    assert "\x1b" not in motet("run", "x", "hi", "--\x1b[2J").complaint


def test_a_text_in_place_of_the_model_is_no_crash(motet: Motet) -> None:
    assert motet("run", "how long is a text? " * 40, "hi").complaint
    assert motet("run", "hi", "how long is a text? " * 40 + "\x00").complaint


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "alien"])
def test_a_broken_model_is_told_in_one_line(
    motet: Motet, own: Path, tmp_path: Path, name: str, damage: str
) -> None:
    for file in own.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    broken = tmp_path / name
    if damage == "missing":
        broken.unlink()
    elif damage == "truncated":
        broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    else:
        broken.write_text(json.dumps({"model_type": "gramophone"}))
    assert motet("run", tmp_path, "hi").complaint
    assert motet("inspect", tmp_path, "--text", "hello world").complaint


def test_version_and_help(motet: Motet) -> None:
    assert re.fullmatch(r"motet \d+\.\d+\.\d+\n", motet("--version").out)
    assert motet().out == motet("--help").out
    assert "No such command 'sing'" in motet("sing").complaint


@pytest.mark.parametrize("command", ["run", "inspect"])
def test_help_explains_every_option_within_80_columns(motet: Motet, command: str) -> None:
    text = motet(command, "--help").out
    assert all(len(line) <= 80 for line in text.splitlines())
    _, _, options = text.partition("\nOptions:\n")
    for entry in re.split(r"^  (?=--[a-z])", options, flags=re.MULTILINE)[1:]:
        name, entry = entry.split()[0], " ".join(entry.split())
        prose = re.sub(r"\[default.*?\]$|<[^>]*>|CHANNEL:KNOB=VALUE,\.\.\.", "", entry)
        assert len(prose.split()) >= 3, f"{name} has no help"
