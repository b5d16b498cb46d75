"""Stories put together from clauses: a beginning, events, an end, each said in many ways.

    start   Tom has {a} shells.                 a        ask     How many are left?
    pair    ... {a} red and {b} blue shells     a + b    share   {c} friends share them ...   r / c
    groups  ... {a} jars of {b} shells          a * b    need    He needs {c}. ...            c - r
    plus    He finds {c} more.                  r + c    omore   Ann has {c} more.            r + c
    minus   {c} are lost.                       r - c    askboth How many have both?          r + r'

A story is a template made on the spot: one to three steps, so a model that has learned the clauses
meets a new combination in almost every problem. The clauses stand in stories/clauses.txt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from random import Random

from motet.data.tiny.plot import OPERATIONS, RELATIONS, draw_plot
from motet.data.tiny.templates import (
    DEFINITION,
    Template,
    TemplateError,
    TemplateStep,
    insert_lists,
)

__all__ = ["compose_story", "read_clauses"]

_DOMAIN_SHARES = {"things": 0.48, "people": 0.17, "stuff": 0.12, "money": 0.17, "age": 0.06}
_SHARE_IN_WORDS, _SHARE_NEEDLESS, _SHARE_JOINED, _SHARE_NAMED = 0.1, 0.12, 0.35, 0.7
_SHARE_QUESTION_FIRST = 0.15
_PEOPLE = "[@people]"

_ROLES = (
    "baker", "farmer", "teacher", "florist", "tailor", "librarian", "collector",
    "gardener", "cook", "carpenter", "shopkeeper", "painter", "ranger", "builder",
    "guard", "fisherman", "club", "school", "museum", "shop", "zoo",
    "team", "family", "aunt", "neighbor", "captain", "potter", "student",
    "clinic", "uncle", "doctor", "friend", "company", "chef", "clerk",
    "grandmother", "mayor", "village", "hotel", "factory", "driver",
)  # fmt: skip

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


@dataclass(slots=True)
class _Story:
    """A story being told. so_far and before: the operands that stand for the last two amounts."""

    clauses: dict[str, list[str]]
    rng: Random
    sentences: list[str] = field(default_factory=list)
    steps: list[TemplateStep] = field(default_factory=list)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    num_numbers: int = 0
    so_far: str = ""
    before: str = ""

    def say(self, words: str) -> list[str]:
        """Add a clause; the names of its numbers, {n} first."""
        names = []
        for slot in ("{n}", "{m}", "{k}", "{l}"):
            if slot in words:
                names.append("abcdefgh"[self.num_numbers])
                self.num_numbers += 1
                is_in_words = f"${slot}" not in words and self.rng.random() < _SHARE_IN_WORDS
                words = words.replace(slot, f"{{{names[-1]}{':w' if is_in_words else ''}}}")
        self.sentences.append(words)
        return names

    def step(self, x: str, op: str, y: str) -> None:
        self.steps.append(TemplateStep(x, op, y))
        self.before = x
        self.so_far = f"r{len(self.steps)}"

    def tell(self, kind: str) -> None:
        """Say a clause of a kind and do what it does to the amount."""
        names = self.say(self.rng.choice(self.clauses[kind]))
        match kind:
            case "start":
                self.so_far = names[0]
            case "pair":
                self.step(names[0], "+", names[1])
            case "groups":
                if self.rng.random() < 0.5:
                    self.ranges |= {names[0]: (2, 9), names[1]: (2, 60)}
                self.step(names[0], "*", names[1])
            case "halved":
                self.step(names[0], "/", "2")
            case "plus":
                self.step(self.so_far, "+", names[0])
            case "minus" | "minus2" | "ahead":
                for name in names:
                    self.step(self.so_far, "-", name)
            case "need" | "behind":
                self.step(names[0], "-", self.so_far)
            case "share" | "pack":
                self.step(self.so_far, "/", names[0])
            case "orders":
                self.step(names[0], "*", names[1])
                self.step(names[2], "*", names[3])
                self.step("r1", "+", "r2")
            case "worth" | "per" | "repeat":
                self.step(self.so_far, "*", names[0])
            case "askboth":
                self.step(self.before, "+", self.so_far)
            case "ohalf" | "odouble":
                self.step(self.so_far, OPERATIONS[kind], "2")
            case "rmore" | "rfewer" | "rtimes":
                self.step(names[1], OPERATIONS[kind], names[0])
            case _ if kind in RELATIONS:
                self.step(self.so_far, OPERATIONS[kind], names[0])
        if kind in ("otimes", "rtimes", "itimes", "repeat"):
            self.ranges[names[0]] = (2, 9)


def compose_story(rng: Random) -> Template:
    """A new template."""
    clauses, lists = read_clauses()
    domain = rng.choices(list(_DOMAIN_SHARES), list(_DOMAIN_SHARES.values()))[0]
    plot = draw_plot(clauses[domain], rng)
    story = _Story(clauses[domain], rng)
    for index, kind in enumerate(plot):
        story.tell(kind)
        if index == 0 and rng.random() < _SHARE_NEEDLESS:
            story.say(rng.choice(clauses["needless"]["needless"]))
    end, _, reply = story.sentences[-1].partition(" => ")
    text = _with_subject([*story.sentences[:-1], end], domain, plot[0], rng)
    question = insert_lists(text, lists, "clauses.txt")
    return Template(question, tuple(story.steps), reply, story.ranges, f"story:{'.'.join(plot)}")


def _with_subject(sentences: list[str], domain: str, first: str, rng: Random) -> str:
    """Join the sentences and say who acts: a name or a role, the same people throughout."""
    subject = later = "{p}"
    if rng.random() > _SHARE_NAMED:
        subject = rng.choice(("A", "The", "Our", "My")) + " " + rng.choice(_ROLES)
        later = re.sub(r"^(A|The) ", "the ", subject).replace("Our", "our").replace("My", "my")
    if domain == "people":
        _, lists = read_clauses()
        people = rng.choice(lists["people"].split("|"))
        others = people if first in ("start", "groups") else "people"
        sentences = [
            sentences[0].replace(_PEOPLE, people, 1),
            *(re.sub(r"(?<=How many )\[@people\]", others, s) for s in sentences[1:]),
        ]
    if rng.random() < _SHARE_QUESTION_FIRST and sentences[-1].rfind("?", 0, -1) < 0:
        told = rng.choice((" and ", ", and ")).join(s.removesuffix(".") for s in sentences[:-1])
        if re.fullmatch(r"(How|What)[^.]*\?", sentences[-1]) and ". " not in told:
            return f"{sentences[-1][:-1]} if {told}?".replace("{s}", later)
    text = sentences[0].replace("{s}", subject)
    for sentence in sentences[1:]:
        sentence = sentence.replace("{s}", later)
        if sentence.startswith(("{he}", "{a", "{b", "{c")) and rng.random() < _SHARE_JOINED:
            text = text.removesuffix(".") + rng.choice(
                (", and ", " and ", "; ", ", then ", ", but ")
            )
            text += sentence
        else:
            text += " " + sentence
    return text
