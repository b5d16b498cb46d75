"""The clauses that stories are put together from: `stories/clauses.txt`, by domain and kind."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from motet.data.tiny.templates import DEFINITION, TemplateError

__all__ = ["Clauses", "read_clauses"]

Clauses = dict[str, dict[str, list[str]]]
"""Texts by domain and kind; an end has its reply after "=>"."""


@cache
def read_clauses() -> tuple[Clauses, dict[str, str]]:
    """The clauses of the package, and its lists of words."""
    clauses: Clauses = {}
    lists: dict[str, str] = {}
    domain = ""
    text = (files("motet.data.tiny") / "stories" / "clauses.txt").read_text("utf-8")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        if definition := DEFINITION.fullmatch(line):
            lists[definition[1]] = definition[2]
        elif line.startswith("= "):
            domain = line[2:]
        else:
            kind, colon, words = line.partition(": ")
            if not colon:
                raise TemplateError(f"clauses.txt:{number}: expected `kind: words`, got {line!r}")
            clauses.setdefault(domain, {}).setdefault(kind, []).append(words)
    return clauses, lists
