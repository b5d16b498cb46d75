"""Text that is safe to show: nothing that a model, a file or a name says can steer a terminal.

Replaced are control characters (C0, C1, DEL), line and paragraph separators, lone surrogates, and
the signs that turn the direction of writing. Joiners, variation selectors and no-break spaces
stay: emoji and many scripts need them.
"""

from __future__ import annotations

import unicodedata

__all__ = ["is_steering", "printable"]

_STEERING = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_steering(character: str) -> bool:
    """Whether a terminal may do something else with `character` than show it."""
    return unicodedata.category(character) in _STEERING or character in _DIRECTIONS


def printable(text: str) -> str:
    """`text` with every steering character but newline and tab replaced by U+FFFD."""
    text = text.replace("\r\n", "\n")
    return "".join("\ufffd" if is_steering(c) and c not in "\n\t" else c for c in text)
