"""Templates of word problems: a text file of blocks, and problems drawn from one block.

    Q: {p} has {a} {items}. {He} [buys|gets|finds] {b} more. How many {items} does {p} have now?
    S: a + b
    A: {p} has {ans} {items} now.
    R: a 2-9, b 10-60

`[x|y]` picks one, `{a}` is a number in digits, `{a:w}` in words. `S:` holds the steps, separated by
`;`, over numbers, constants and earlier results r1, r2 ...; the last result is `{ans}`. `R:` gives
ranges where the defaults make no sense. `D: name = x|y|z` above the blocks defines a list of words
that `[@name]` picks from, `[v|@name]` too. Lines that begin with `#` are comments.

The drawing itself (numbers, names, things) is in `problems`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from motet.errors import MotetError

__all__ = [
    "DEFINITION",
    "Template",
    "TemplateError",
    "TemplateStep",
    "insert_lists",
    "parse_templates",
    "read_templates",
]


class TemplateError(MotetError):
    """A block of a template file that can't be used; the message begins with file and line."""


@dataclass(frozen=True, slots=True)
class TemplateStep:
    """`x op y`; an operand is a number ("a"), an earlier result ("r1") or a constant ("2")."""

    x: str
    op: str
    y: str


@dataclass(frozen=True, slots=True)
class Template:
    """One block; `place` is "file:line" of its question, for messages."""

    question: str
    steps: tuple[TemplateStep, ...]
    answer: str
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    place: str = ""

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the numbers in the question, in order of appearance."""
        return tuple(dict.fromkeys(match[1] for match in NUMBER_SLOT.finditer(self.question)))

    @property
    def in_words(self) -> frozenset[str]:
        """The names of the numbers that the question writes in words (so they stay <= 20)."""
        return frozenset(match[1] for match in NUMBER_SLOT.finditer(self.question) if match[2])


NUMBER_SLOT = re.compile(r"\{([a-h])(:w)?\}")
_SLOT = re.compile(r"\{([^{}]*)\}")
_STEP = re.compile(r"(\w+)\s*([-+*/])\s*(\w+)")
DEFINITION = re.compile(r"D:\s*(\w+)\s*=\s*(.+)")
_LIST = re.compile(r"@(\w+)")
_RANGE = re.compile(r"([a-h])\s+(\d+)\s*-\s*(\d+)")
_PEOPLE = {f"{word}{n}" for n in ("", "2", "3") for word in ("p", "he", "He", "him", "his", "His")}
_THINGS = {f"{word}{n}" for n in ("", "2") for word in ("item", "items", "box", "boxes")}
_KNOWN_SLOTS = _PEOPLE | _THINGS
_MAX_NUM_STEPS = 3


def read_templates(path: Path) -> list[Template]:
    """Parse a template file; TemplateError names the file and line of the first fault."""
    return parse_templates(path.read_text(encoding="utf-8"), path.name)


def parse_templates(text: str, name: str) -> list[Template]:
    """Parse the blocks of `text`; `name` stands for the file in messages."""
    templates: list[Template] = []
    block: dict[str, str] = {}
    lists: dict[str, str] = {}
    first_line = 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        stripped = line.strip()
        if stripped.startswith("#"):
            continue
        stripped = insert_lists(stripped, lists, f"{name}:{number}")
        if definition := DEFINITION.fullmatch(stripped):
            lists[definition[1]] = definition[2]
            continue
        if not stripped:
            if block:
                templates.append(_parse_block(block, f"{name}:{first_line}"))
            block = {}
            continue
        key, colon, value = stripped.partition(":")
        if not colon or key not in {"Q", "S", "A", "R"}:
            raise TemplateError(
                f"{name}:{number}: expected a line Q:, S:, A: or R:, got {stripped!r}"
            )
        if key in block:
            raise TemplateError(
                f"{name}:{number}: a second {key}: in one block; separate blocks by an empty line"
            )
        first_line = first_line if block else number
        block[key] = value.strip()
    return templates


def insert_lists(line: str, lists: dict[str, str], place: str) -> str:
    """Put the words of the list in place of each @name."""

    def words(match: re.Match[str]) -> str:
        if match[1] not in lists:
            raise TemplateError(f"{place}: unknown list @{match[1]}; define it above with D:")
        return lists[match[1]]

    return _LIST.sub(words, line)


def _parse_block(block: dict[str, str], place: str) -> Template:
    for key in "QSA":
        if not block.get(key):
            raise TemplateError(f"{place}: the block has no {key}: line")
    steps = tuple(_parse_step(text, place) for text in block["S"].split(";"))
    if len(steps) > _MAX_NUM_STEPS:
        raise TemplateError(f"{place}: {len(steps)} steps, at most {_MAX_NUM_STEPS} are supported")
    template = Template(
        block["Q"], steps, block["A"], _parse_ranges(block.get("R", ""), place), place
    )
    _check_slots(template)
    _check_operands(template)
    return template


def _parse_step(text: str, place: str) -> TemplateStep:
    match = _STEP.fullmatch(text.strip())
    if not match:
        raise TemplateError(f"{place}: expected a step like `a + b` in S:, got {text.strip()!r}")
    return TemplateStep(*match.groups())


def _parse_ranges(text: str, place: str) -> dict[str, tuple[int, int]]:
    ranges = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RANGE.fullmatch(part)
        if not match or int(match[2]) > int(match[3]):
            raise TemplateError(f"{place}: expected a range like `a 2-9` in R:, got {part!r}")
        ranges[match[1]] = (int(match[2]), int(match[3]))
    return ranges


def _check_slots(template: Template) -> None:
    for text in (template.question, template.answer):
        if re.search(r"\[[^\]]*\[", text) or text.count("[") != text.count("]"):
            raise TemplateError(f"{template.place}: brackets are nested or unbalanced in {text!r}")
        for slot in _SLOT.findall(text):
            known = slot in _KNOWN_SLOTS or slot.removesuffix(":w") in template.numbers
            if not known and not (slot == "ans" and text is template.answer):
                raise TemplateError(f"{template.place}: unknown slot {{{slot}}}")
    if "{ans}" not in template.answer:
        raise TemplateError(f"{template.place}: the answer A: does not contain {{ans}}")


def _check_operands(template: Template) -> None:
    known = set(template.numbers)
    for name in template.ranges:
        if name not in known:
            raise TemplateError(
                f"{template.place}: R: names {name!r}, which the question does not contain"
            )
    for index, step in enumerate(template.steps, start=1):
        for operand in (step.x, step.y):
            if operand not in known and not operand.isdigit():
                raise TemplateError(
                    f"{template.place}: step {index} uses {operand!r}, which is not known there"
                )
        known.add(f"r{index}")
