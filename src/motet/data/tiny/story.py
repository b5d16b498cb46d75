"""Stories put together from clauses: a beginning, events, an end, each said in many ways.

    start   Tom has {a} shells.                 a        ask     How many are left?
    pair    ... {a} red and {b} blue shells     a + b    share   {c} friends share them ...   r / c
    groups  ... {a} jars of {b} shells          a * b    need    He needs {c}. ...            c - r
    plus    He finds {c} more.                  r + c    omore   Ann has {c} more.            r + c
    minus   {c} are lost.                       r - c    askboth How many have both?          r + r'

A story is a template made on the spot: one to three steps, so a model that has learned the clauses
meets a new combination in almost every problem. The clauses stand in stories/clauses.txt, what each
kind does to the amount in `plot`.

{s} is the one the story is about. A beginning without {s}, or with a {p2} besides, is about nobody:
the clauses after it don't say {he}. A relation to {p2} needs a beginning that is about someone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random

from motet.data.tiny.clauses import read_clauses
from motet.data.tiny.plot import RELATIONS, REVERSED, STEPS, draw_plot
from motet.data.tiny.subject import OWNER, with_subject
from motet.data.tiny.templates import Template, TemplateStep, insert_lists

__all__ = ["compose_story"]

_DOMAIN_SHARES = {
    "things": 0.45, "people": 0.16, "stuff": 0.06, "going": 0.05, "time": 0.04, "pages": 0.03,
    "money": 0.08, "cost": 0.08, "age": 0.05,
}  # fmt: skip
_SHARE_IN_WORDS, _SHARE_NEEDLESS, _SHARE_JOINED = 0.1, 0.12, 0.35
_SHARE_QUESTION_FIRST = 0.15
_NEEDLESS_RANGE = (2, 28)
_NEVER_JOINED = {"ask", "needless"}

_DRAWN_WITHOUT_REPETITION = ("spot", "day", "then")
_OF_SEVERAL_WORDS = ("groups", "nested", "orders", "repeat", "repeatless")
_NOUNS = {"things": "{items}", "people": "[@people]"}
_KINDS_WITH_NOUN = (
    "plus", "minus", "minus2", "swap", "omore", "ofewer", "imore", "ifewer", "need", "ahead",
    "behind",
)  # fmt: skip
_NUMBER_ALONE = re.compile(
    r"\{n\}( of them| \[@more\]| more| fewer|)"
    r"(?=[.,;?]| \[@(?:went|came|vanished|then|day|spot)\]| than\b"
    r"| (?:are|were|go|get|leave|come|to|for|and|away|on|at|in|fall|must|say|back|over|arrive)\b)"
)


@dataclass(slots=True)
class _Story:
    """A story being told. so_far and before: the operands that stand for the last two amounts."""

    rng: Random
    sentences: list[tuple[str, str]] = field(default_factory=list)
    steps: list[TemplateStep] = field(default_factory=list)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    num_numbers: int = 0
    so_far: str = ""
    before: str = ""

    def say(self, kind: str, words: str) -> dict[str, str]:
        """Add a clause; the names that its numbers n, m, ... got."""
        names = {}
        for letter in "nmkl":
            slot = f"{{{letter}}}"
            if slot in words:
                names[letter] = "abcdefgh"[self.num_numbers]
                self.num_numbers += 1
                is_in_words = f"${slot}" not in words and self.rng.random() < _SHARE_IN_WORDS
                words = words.replace(slot, f"{{{names[letter]}{':w' if is_in_words else ''}}}")
        self.sentences.append((kind, words))
        return names

    def tell(self, kind: str, words: str) -> None:
        """Say a clause and do what its kind does to the amount."""
        names = self.say(kind, words)
        known = names | {"r": self.so_far, "q": self.before}
        for number, step in enumerate(filter(None, STEPS[kind].split("; ")), start=1):
            x, op, y = step.split()
            self.steps.append(TemplateStep(known.get(x, x), op, known.get(y, y)))
            self.before = self.steps[-1].x
            self.so_far = known[f"s{number}"] = f"r{len(self.steps)}"
        self.so_far = self.so_far or names["n"]
        self._limit(kind, names)

    def _limit(self, kind: str, names: dict[str, str]) -> None:
        match kind:
            case "otimes" | "rtimes" | "itimes" | "ttimes" | "askunit" | "unit":
                small = "n"
            case "nested" | "addgroups" | "lessgroups":
                small = "nm"
            case "repeat" | "repeatless":
                small = "k"
            case "groups" if self.rng.random() < 0.5:
                small = "n"
                self.ranges[names["m"]] = (2, 60)
            case _:
                small = ""
        self.ranges |= {names[letter]: (2, 9) for letter in small}


def compose_story(rng: Random) -> Template:
    """A new template."""
    clauses, lists = read_clauses()
    domain = rng.choices(list(_DOMAIN_SHARES), list(_DOMAIN_SHARES.values()))[0]
    plot, texts, is_about_someone = _draw_texts(clauses[domain], rng)
    if plot[0] in _OF_SEVERAL_WORDS:
        texts[1] = _with_noun(texts[1], plot[1], domain)
    needless_at = rng.randrange(2) if rng.random() < _SHARE_NEEDLESS and domain != "age" else -1
    if needless_at == 1 and plot[1] in RELATIONS:
        needless_at = 0
    story = _Story(rng)
    for index, (kind, words) in enumerate(zip(plot, texts, strict=True)):
        if index == needless_at:
            needless = clauses["needless"]["needless"]
            names = story.say("needless", rng.choice(_fitting(needless, is_about_someone)))
            story.ranges[names["n"]] = _NEEDLESS_RANGE
        story.tell(kind, words)
    if domain == "age":
        numbers = "abcdefgh"[: story.num_numbers]
        story.ranges = dict.fromkeys(numbers, (2, 40)) | story.ranges
    kind, last = story.sentences.pop()
    end, _, reply = last.partition(" => ")
    sentences = [*story.sentences, (kind, end)]
    text = _joined(_with_people(sentences, rng) if domain == "people" else sentences, rng)
    text = _with_lists(with_subject(text, domain, rng), lists, rng)
    return Template(text, tuple(story.steps), reply, story.ranges, f"story:{'.'.join(plot)}")


def _draw_texts(clauses: dict[str, list[str]], rng: Random) -> tuple[list[str], list[str], bool]:
    """A plot, a text for each of its kinds, and whether it begins with someone to say {he} of."""
    while True:
        plot = draw_plot(clauses, rng)
        firsts = []
        for text in clauses[plot[0]]:
            is_about_someone = _is_about_someone(plot[0], text)
            if is_about_someone or not any(kind in RELATIONS for kind in plot):
                choices = [_fitting(clauses[kind], is_about_someone) for kind in plot[1:]]
                if all(choices):
                    firsts.append((text, choices, is_about_someone))
        if firsts:
            first, choices, is_about_someone = rng.choice(firsts)
            return plot, [first, *map(rng.choice, choices)], is_about_someone


def _is_about_someone(kind: str, first: str) -> bool:
    return bool(OWNER.search(first)) and ("{p2}" not in first or kind in REVERSED)


def _fitting(texts: list[str], is_about_someone: bool) -> list[str]:
    return texts if is_about_someone else [text for text in texts if not OWNER.search(text)]


def _with_noun(words: str, kind: str, domain: str) -> str:
    """After "5 boxes of 8 pens", "2 of them" could be boxes: say "2 of the pens"."""
    noun = _NOUNS.get(domain)
    if not noun or noun in words or kind not in _KINDS_WITH_NOUN:
        return words
    named = {
        "": f"{{n}} {noun}",
        " of them": f"{{n}} of the {noun}",
        " fewer": f"{{n}} fewer {noun}",
    }
    return _NUMBER_ALONE.sub(
        lambda match: named.get(match[1], f"{{n}} more {noun}"), words, count=1
    )


def _joined(sentences: list[tuple[str, str]], rng: Random) -> str:
    """One text; now and then the question comes first, or two sentences become one."""
    texts = [text for _, text in sentences]
    is_question = re.fullmatch(r"(How|What)[^.?]*\?", texts[-1]) and sentences[0][0] != "needless"
    if is_question and rng.random() < _SHARE_QUESTION_FIRST:
        told = rng.choice((" and ", ", and ")).join(_within(text) for text in texts[:-1])
        if ". " not in told:
            return f"{texts[-1][:-1]} if {told}?"
    text = texts[0]
    for kind, sentence in sentences[1:]:
        is_start = sentence.startswith(("{he}", "{a", "{b", "{c")) and kind not in _NEVER_JOINED
        if is_start and rng.random() < _SHARE_JOINED:
            links = [", and ", " and ", "; "]
            if STEPS[kind].startswith("r "):
                links += [", then ", ", but "] if "-" in STEPS[kind] else [", then "]
            text = text.removesuffix(".") + rng.choice(links) + sentence
        else:
            text += " " + sentence
    return text


def _within(sentence: str) -> str:
    """A sentence as it stands within another."""
    return sentence[0].lower() + sentence[1:].removesuffix(".")


def _with_people(sentences: list[tuple[str, str]], rng: Random) -> list[tuple[str, str]]:
    """The same people and place throughout; two kinds of people become "people" later on."""
    _, lists = read_clauses()
    place = rng.choice(lists["place"].split("|"))
    people = rng.sample(lists["people"].split("|"), 3)
    told = []
    is_first = True
    for kind, text in sentences:
        num_people = text.count("[@people]")
        for word in people:
            text = text.replace("[@people]", word, 1)
        if is_first and kind != "needless":
            people = [people[0] if num_people == 1 else "people"] * 3
            is_first = False
        told.append((kind, text.replace("[@place]", place)))
    return told


def _with_lists(text: str, lists: dict[str, str], rng: Random) -> str:
    """Put in the lists of words. A story has a place or a day once only."""
    for name in _DRAWN_WITHOUT_REPETITION:
        words = lists[name].split("|")
        for word in rng.sample(words, min(len(words), text.count(f"[@{name}]"))):
            text = text.replace(f"[@{name}]", word, 1)
    return insert_lists(text, lists, "clauses.txt")
