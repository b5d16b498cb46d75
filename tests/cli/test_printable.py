"""What may reach a terminal."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from motet.cli.json_line import json_line
from motet.protocol.printable import printable

DIRECTIONS = "\u200e\u200f\u202a\u202e\u2066\u2069"


@given(st.text())
def test_no_control_character_gets_through(text: str) -> None:
    shown = printable(text)
    controls = [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not controls
    assert not set(shown) & set(DIRECTIONS)


def test_what_people_write_gets_through() -> None:
    text = "a\tb\n  👩‍👩‍👧 🏳️‍🌈 e\u0301 漢字 \u00a0 می\u200cخواهم ¿?"
    assert printable(text) == text
    assert printable("a\r\nb") == "a\nb"
    assert printable("\x1b[31m \x9b \x7f \r") == "\ufffd[31m \ufffd \ufffd \ufffd"


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_is_one_safe_line_that_loses_nothing(value: object) -> None:
    line = json_line(value)
    assert printable(line) == line
    assert not {"\n", "\t"} & set(line)
    assert json.loads(line) == value


def test_json_stays_readable() -> None:
    assert json_line({"a": "漢🙂\x9b\n"}) == '{"a": "漢🙂\\u009b\\n"}'
