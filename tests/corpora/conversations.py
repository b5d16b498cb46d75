"""Conversations as a model writes them: good ones, and ones that are wrong in one way each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from motet.corpora.written import END_MARK
from motet.data.table import Row

CHANNELS = ("User", "Output", "Think", "Skeptical")

GOOD = """\
{"User": "Tom has 3"}
{"User": " apples and buys"}
{"User": " 4. How many?<end>", "Think": "3"}
{}
{"Think": "+4=7<end>"}
{"Skeptical": "3+4=7 ok<end>"}
{}
{"Output": "He has"}
{"Output": " 7 apples.<end>"}"""


def as_written(rows: Sequence[Row], channels: Sequence[str] = CHANNELS) -> str:
    """Rows as a model is asked to write them."""
    lines = []
    for row in rows:
        cells = zip(channels, row, strict=True)
        said = {n: c.text + (END_MARK if c.end else "") for n, c in cells if c is not None}
        lines.append(json.dumps(said, ensure_ascii=False))
    return "\n".join(lines)


PLANTED = GOOD.replace('"Think": "+4=7<end>"', '"Think": "3+4=8<end>"').replace(
    '"Skeptical": "3+4=7 ok<end>"}\n{}', '"Skeptical": "no 3+4=7<end>"}\n{"Think": "3+4=7<end>"}'
)
"""With a wrong step that is found."""


def numbered(number: int, *, is_planted: bool = False) -> str:
    """A good conversation that no other number has."""
    return (PLANTED if is_planted else GOOD).replace("Tom", f"Tom{number}")
