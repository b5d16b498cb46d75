"""Who a story is about: a name, a role, an institution or the teller, the same one throughout.

In a text {s} is that one, {he}, {him} and {his} are pronouns of it, and {p} a name.
"""

from __future__ import annotations

import re
from random import Random

__all__ = ["OWNER", "with_subject"]

OWNER = re.compile(r"\{(?:s|p|he|him|his)\}")
"""What stands for the one that a story is about."""

_SHARE_NAMED, _SHARE_INSTITUTION, _SHARE_FIRST_PERSON = 0.7, 0.3, 0.2
_ROLES = (
    "baker", "farmer", "teacher", "florist", "tailor", "librarian", "collector", "gardener", "cook",
    "carpenter", "shopkeeper", "painter", "ranger", "builder", "guard", "neighbor", "captain",
    "potter", "student", "doctor", "friend", "chef", "clerk", "mayor", "driver", "cousin", "nurse",
    "coach", "pupil", "merchant", "artist", "sailor", "plumber", "pilot", "roommate", "boss",
    "hunter", "dentist", "singer", "janitor", "fisher", "tourist", "writer", "musician", "runner",
)  # fmt: skip
_ROLES_SHE = ("aunt", "grandmother", "mother", "sister", "girl", "queen", "daughter")
_ROLES_HE = ("uncle", "grandfather", "father", "brother", "boy", "king", "son", "wizard")
_INSTITUTIONS = (
    "club", "school", "museum", "shop", "zoo", "team", "clinic", "company", "village", "hotel",
    "factory", "library", "bakery", "farm", "store", "restaurant", "hospital", "theater", "market",
)  # fmt: skip
_OF_A_FAMILY = (*_ROLES_SHE[:4], "daughter", *_ROLES_HE[:4], "son", "cousin", "boss", "roommate")

_VERB = re.compile(r"(\{(?:s|he)\} (?:also |now |still )?)([a-z]+s\b)")
_VERBS = re.compile(r"(\{(?:s|he)\} (?:also |now |still )?)\[([a-z][^\]@]*)\]")
_OTHER_VERBS = re.compile(r" (?:and|or|but|then|who|so) (?:now |still )?(?:has|[a-z]+s)\b")


def with_subject(text: str, domain: str, rng: Random) -> str:
    """Say who acts: a name, a role or I, the same one throughout, and not "he" at first."""
    name = "{p}" if domain == "age" else "{s}"
    if (first := OWNER.search(text)) and first[0] not in ("{s}", "{p}"):
        named = name + "'s" if first[0] == "{his}" else name
        text = text[: first.start()] + named + text[first.end() :]
    if domain == "age" or rng.random() < _SHARE_NAMED:
        if rng.random() < _SHARE_FIRST_PERSON and domain != "age" and "{s}" in text:
            return _in_first_person(text) or text.replace("{s}", "{p}")
        return text.replace("{s}", "{p}")
    is_institution = domain in ("things", "money", "cost") and not re.search(r"\{his\}|\}'s", text)
    if is_institution and rng.random() < _SHARE_INSTITUTION:
        role = rng.choice(_INSTITUTIONS)
        text = text.replace("{he}", "it").replace("{him}", "it")
    else:
        role = rng.choice((*_ROLES, *_ROLES_SHE, *_ROLES_HE))
        pronouns = ("she", "her", "her") if role in _ROLES_SHE else ("he", "him", "his")
        if role not in _ROLES:
            for slot, pronoun in zip(("{he}", "{him}", "{his}"), pronouns, strict=True):
                text = text.replace(slot, pronoun)
    article = rng.choice(("our", "my") if role in _OF_A_FAMILY else ("a", "the", "our", "my"))
    subject = f"an {role}" if article == "a" and role[0] in "aeiou" else f"{article} {role}"
    later = f"the {role}" if article == "a" else subject
    return text.replace("{s}", subject, 1).replace("{s}", later)


def _in_first_person(text: str) -> str:
    """The story told by the one it is about; "" where the verbs are too many to change."""
    if _OTHER_VERBS.search(text):
        return ""
    text = _VERBS.sub(lambda m: m[1] + "[" + "|".join(map(_plain, m[2].split("|"))) + "]", text)
    text = _VERB.sub(lambda m: m[1] + _plain(m[2]), text)
    text = re.sub(r"\b([Dd])oes (?=\{(?:s|he)\})", r"\1o ", text)
    text = re.sub(r"\b([Hh])as (?=\{(?:s|he)\})", r"\1ave ", text)
    text = text.replace("{s}'s", "my").replace("{his}", "my").replace("{him}", "me")
    text = re.sub(r"\bis (?=\{(?:s|he)\})", "am ", text)
    text = re.sub(r"\b(to|from|for|give|gave) \{s\}", r"\1 me", text)
    text = re.sub(r"\bdo they (?=have|pay)", "do we ", text).replace("two of them", "two of us")
    return re.sub(r"\{(?:s|he)\}", "I", text)


def _plain(verb: str) -> str:
    """The verb of "he finds" as in "I find"; of "gives away" the first word."""
    first, space, rest = verb.partition(" ")
    irregular = {"has": "have", "is": "am", "was": "was", "does": "do", "goes": "go"}
    if first in irregular:
        first = irregular[first]
    elif first.endswith("ies") and len(first) > 4:
        first = first[:-3] + "y"
    elif first.endswith(("ches", "shes", "xes", "sses")):
        first = first[:-2]
    elif first.endswith("s") and not first.endswith("ss"):
        first = first[:-1]
    return first + space + rest
