"""One line of JSON on a terminal: readable, and nothing in it can steer the terminal."""

from __future__ import annotations

import json

from motet.protocol.printable import is_steering


def json_line(data: object, *, ascii_only: bool = False) -> str:
    """One line of JSON that is readable and safe: steering characters are escaped, not lost."""
    text = json.dumps(data, ensure_ascii=ascii_only, allow_nan=False)
    return "".join(f"\\u{ord(c):04x}" if is_steering(c) else c for c in text)
