"""Text that is safe to show: nothing that a model, a file or a name says can steer a terminal.

Replaced or escaped are control characters (C0, C1, DEL), line and paragraph separators, lone
surrogates, and the signs that turn the direction of writing. Joiners, variation selectors and
no-break spaces stay: emoji and many scripts need them.
"""

from __future__ import annotations

import json
import unicodedata

_STEERING = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _is_steering(character: str) -> bool:
    return unicodedata.category(character) in _STEERING or character in _DIRECTIONS


def printable(text: str) -> str:
    """`text` with every steering character but newline and tab replaced by U+FFFD."""
    text = text.replace("\r\n", "\n")
    return "".join("\ufffd" if _is_steering(c) and c not in "\n\t" else c for c in text)


def json_line(data: object, *, ascii_only: bool = False) -> str:
    """One line of JSON that is readable and safe: steering characters are escaped, not lost."""
    text = json.dumps(data, ensure_ascii=ascii_only, allow_nan=False)
    return "".join(f"\\u{ord(c):04x}" if _is_steering(c) else c for c in text)
