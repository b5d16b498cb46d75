"""Letter and word tasks: Think spells the word, because a token hides its letters.

reversed   apple: a-p-p-l-e -> e-l-p-p-a
counted    apple: a1 p2 p3 l4 e5 -> 5
found      apple: a0 p1 p2 l2 e2 -> 2        (how often p)
"""

from __future__ import annotations

from random import Random

from motet.data.tiny.lines import Line, Task
from motet.data.tiny.problems import fill_picks
from motet.data.tiny.stock import WORDS

__all__ = ["draw_letter_task"]

_REVERSE = (
    "[Spell|Write|Say] [the word |]{w} [backwards|in reverse|from back to front].",
    "[What is|How do you write|How do you spell] [the word |]{w} "
    "[backwards|reversed|spelled backwards]?",
    "Reverse the [word|letters of] {w}.",
    "[Can you spell|Please spell] {w} backwards[?|.]",
)
_SPELL = (
    "[Spell|Please spell|Can you spell] [the word |]{w}[.|]",
    "How [do you|is|do I] [spell|write] [the word |]{w}?",
    "What are the letters of {w}?",
)
_COUNT = (
    "How many letters [does|are there in|are in] [the word |]{w} [have|]?",
    "[Count|Tell me] the [letters|number of letters] [in|of] {w}.",
    "How long is the word {w}?",
    "What is the [length|number of letters] of [the word |]{w}?",
)
_FIRST = (
    "What is the {end} letter [of|in] [the word |]{w}?",
    "[Tell me|Give me|Name] the {end} letter of [the word |]{w}.",
    "{w}: what is its {end} letter?",
)
_FIND = (
    "How [often|many times] does [the letter |]{l} [occur|appear|come up] in [the word |]{w}?",
    "How many {l}'s are [there in|in] [the word |]{w}?",
    "Count the [letter |]{l} in [the word |]{w}.",
    "How often is there [an|a] {l} in {w}?",
)
_LONGER = (
    "Which [word |]is longer, {w} or {v}?",
    "Which [word |]has more letters, {w} or {v}?",
    "Is {w} or {v} the longer word?",
)
_KINDS = ("reverse", "spell", "count", "end", "find", "longer")
_SHARES = (4, 2, 4, 4, 4, 2)


def draw_letter_task(rng: Random) -> Task:
    """One task about the letters of a word."""
    kind = rng.choices(_KINDS, _SHARES)[0]
    word, other = rng.sample(WORDS, 2)
    spelled = "-".join(word)
    match kind:
        case "reverse":
            question, answer = rng.choice(_REVERSE), "-".join(reversed(word))
            lines = [f"{word}: {spelled} -> {answer}"]
            reply = f"{word} [backwards|reversed] is {answer}."
        case "spell":
            question, answer = rng.choice(_SPELL), spelled
            lines = [f"{word}: {spelled}"]
            reply = f"[You spell it {spelled}|{word} is spelled {spelled}]."
        case "count":
            question, answer = rng.choice(_COUNT), str(len(word))
            lines = [_counted(word)]
            reply = f"[The word {word}|{word}] has {answer} letters."
        case "end":
            end = rng.choice(("first", "last"))
            question, answer = rng.choice(_FIRST).replace("{end}", end), ""
            answer = f"is {word[0 if end == 'first' else -1]}."
            lines = [f"{word}: {spelled} -> {answer[3]}"]
            reply = f"The {end} letter [of {word}|] {answer}"
        case "find":
            letter = rng.choice(word if rng.random() < 0.9 else "aeiou")
            question = rng.choice(_FIND).replace("{l}", letter)
            count = word.count(letter)
            running = [word[: i + 1].count(letter) for i in range(len(word))]
            marks = " ".join(f"{c}{n}" for c, n in zip(word, running, strict=True))
            lines = [f"{word}: {marks} -> {count}"]
            answer = f"{count} time" + "s" * (count != 1)
            reply = f"The letter {letter} [occurs|appears] {answer} in {word}."
        case _:
            while len(word) == len(other):
                word, other = rng.sample(WORDS, 2)
            answer = f"{max(word, other, key=len)} is longer"
            question = rng.choice(_LONGER).replace("{v}", other)
            sign = ">" if len(word) > len(other) else "<"
            lines = [
                _counted(word),
                _counted(other),
                f"{len(word)}{sign}{len(other)} -> {answer[:-10]}",
            ]
            reply = f"{answer}."
    question = fill_picks(question, rng).replace("{w}", _quoted(word, rng))
    if rng.random() < 0.8:
        question = question[0].upper() + question[1:]
    return Task(question, tuple(map(Line, lines)), fill_picks(reply, rng), answer, "letters", kind)


def _counted(word: str) -> str:
    marks = " ".join(f"{letter}{i}" for i, letter in enumerate(word, start=1))
    return f"{word}: {marks} -> {len(word)}"


def _quoted(word: str, rng: Random) -> str:
    return rng.choice((word, word, f'"{word}"', f"'{word}'"))
