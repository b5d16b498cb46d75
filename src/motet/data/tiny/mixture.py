"""The stream of training conversations, and the held-out problems.

Conversation number i of a seed is always the same, whoever asks for it and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import as_file, files
from random import Random

from tokenizers import Tokenizer

from motet.data.tiny.arrangement import Arrangement
from motet.data.tiny.conversation import Conversation, compose
from motet.data.tiny.disguise import Disguise
from motet.data.tiny.letters import draw_letter_task
from motet.data.tiny.lines import Task
from motet.data.tiny.needless import Needless
from motet.data.tiny.problems import draw_problem
from motet.data.tiny.sequence import compose_sequence
from motet.data.tiny.split import Wanted
from motet.data.tiny.story import compose_story
from motet.data.tiny.sums import draw_sum
from motet.data.tiny.talk import draw_stop, draw_talk
from motet.data.tiny.templates import Template, read_templates
from motet.errors import SettingError

__all__ = [
    "FAMILIES",
    "Shares",
    "TaskSource",
    "arranged",
    "draw_conversation",
    "draw_task",
    "held_out_problems",
    "load_templates",
]

_ALL = Wanted()
FAMILIES = ("story", "problem", "gsm8k", "sum", "letters", "talk")


@dataclass(frozen=True, slots=True)
class Shares:
    """How much of what. The six families are relative weights, the others probabilities.

    interrupted is a share of second turns; half of those only say that it is enough. disguised and
    needless are shares of stories and problems (see the modules of these names).
    """

    story: float = 0.36
    problem: float = 0.42
    gsm8k: float = 0.03
    sum: float = 0.09
    letters: float = 0.07
    talk: float = 0.03
    second_turn: float = 0.10
    interrupted: float = 0.4
    mistake: float = 0.30
    prefilled: float = 0.10
    disguised: float = 0.5
    needless: float = 0.05

    @classmethod
    def changed(cls, values: Mapping[str, float]) -> Shares:
        """The defaults with other `values`; a family that is named leaves out those that are not.

        SettingError for an unknown name, or if no family has a share.
        """
        known = [field.name for field in fields(cls)]
        if unknown := sorted(values.keys() - set(known)):
            raise SettingError("share", expected=f"one of {', '.join(known)}", got=unknown[0])
        alone = dict.fromkeys(FAMILIES, 0.0) if values.keys() & set(FAMILIES) else {}
        shares = cls(**(alone | dict(values)))
        if not any(getattr(shares, family) for family in FAMILIES):
            raise SettingError("shares", expected="a family with more than 0", got=dict(values))
        return shares


def load_templates(pattern: str) -> list[Template]:
    """The templates of the package's files that match: train_*.txt, gsm8k.txt, heldout.txt."""
    with as_file(files("motet.data.tiny") / "templates") as folder:
        paths = sorted(folder.glob(pattern))
        return [template for path in paths for template in read_templates(path)]


@dataclass(frozen=True, slots=True)
class TaskSource:
    """Draws tasks of all families in their shares.

    wanted: others are drawn again.
    """

    own: tuple[Template, ...]
    gsm8k: tuple[Template, ...]
    shares: Shares
    disguise: Disguise
    needless: Needless
    wanted: Wanted = _ALL

    @classmethod
    def of_package(cls, shares: Shares, wanted: Wanted = _ALL) -> TaskSource:
        """All training templates of the package; those that tell many stories count more."""
        own, gsm8k = load_templates("train_*.txt"), load_templates("gsm8k.txt")
        disguise = Disguise.of_templates([*own, *gsm8k])
        own += load_templates("train_wide.txt")
        own += 2 * (load_templates("train_lists.txt") + load_templates("train_daily.txt"))
        return cls(tuple(own), tuple(gsm8k), shares, disguise, Needless.of_package(), wanted)

    @classmethod
    def of_files(cls, shares: Shares, patterns: Sequence[str], wanted: Wanted = _ALL) -> TaskSource:
        """The package's template files that match, such as train_one_step; each counts once."""
        own: list[Template] = []
        for pattern in patterns:
            found = load_templates(f"{pattern}.txt") if pattern.startswith("train_") else []
            if not found:
                raise SettingError(
                    "templates", expected="names of the package's train_* files", got=pattern
                )
            own += found
        return replace(cls.of_package(shares, wanted), own=tuple(own))

    def draw(self, rng: Random) -> Task:
        """One task."""
        while True:
            task = self._draw_any(rng)
            if self.wanted.takes(task):
                return task

    def _draw_any(self, rng: Random) -> Task:
        weights = [getattr(self.shares, family) for family in FAMILIES]
        match rng.choices(FAMILIES, weights)[0]:
            case "story":
                return self._disguised(draw_problem(compose_story(rng), rng), rng)
            case "problem":
                return self._disguised(draw_problem(rng.choice(self.own), rng), rng)
            case "gsm8k":
                return self._disguised(draw_problem(rng.choice(self.gsm8k), rng), rng)
            case "sum":
                return draw_sum(rng)
            case "letters":
                return draw_letter_task(rng)
        return draw_talk(rng)

    def _disguised(self, task: Task, rng: Random) -> Task:
        if rng.random() < self.shares.disguised:
            task = self.disguise.exchange_words(task, rng)
        if rng.random() < self.shares.needless:
            task = self.needless.add(task, rng)
        return task


def draw_conversation(
    source: TaskSource,
    tokenizer: Tokenizer,
    seed: int,
    index: int,
    arrangement: Arrangement = Arrangement.STREAMS,
) -> Conversation:
    """Training conversation number `index` of a seed.

    The arrangements of an index have the same task; second turns, and messages that are read at
    once, are for streams.
    """
    rng, shares = Random(f"{seed}/{index}"), source.shares
    tasks = [source.draw(rng)]
    mistake_share = shares.mistake if arrangement.is_doubted else 0.0
    if arrangement.is_sequence:
        return arranged(tasks, tokenizer, rng, arrangement, mistake_share)
    interrupted = False
    if shares.second_turn and rng.random() < shares.second_turn:
        interrupted = rng.random() < shares.interrupted
        tasks.append(draw_stop(rng) if interrupted and rng.random() < 0.5 else source.draw(rng))
    prefilled = bool(shares.prefilled) and not interrupted and rng.random() < shares.prefilled
    return compose(
        tasks,
        tokenizer,
        rng,
        mistake_share=mistake_share,
        prefilled=prefilled,
        interrupted=interrupted,
        doubted=arrangement.is_doubted,
    )


def arranged(
    tasks: Sequence[Task],
    tokenizer: Tokenizer,
    rng: Random,
    arrangement: Arrangement,
    mistake_share: float = 0.0,
) -> Conversation:
    """Tasks as they are asked and worked out one after the other; in a sequence, just one."""
    doubted = arrangement.is_doubted
    if not arrangement.is_sequence:
        return compose(tasks, tokenizer, rng, mistake_share=mistake_share, doubted=doubted)
    (task,) = tasks
    return compose_sequence(task, tokenizer, rng, mistake_share=mistake_share, doubted=doubted)


def draw_task(source: TaskSource, seed: int, index: int) -> Task:
    """The (first) task of training conversation number `index` of a seed."""
    return source.draw(Random(f"{seed}/{index}"))


def held_out_problems(num_problems: int, seed: int, *, development: bool = False) -> list[Task]:
    """Problems of templates that no training conversation uses, all templates equally often.

    heldout.txt is for measuring only: nobody looks at its failures. development.txt is for
    finding out what is wrong, so its figures are not those of unseen problems.
    """
    templates = load_templates("development.txt" if development else "heldout.txt")
    rng = Random(f"held-out/{seed}")
    return [draw_problem(templates[i % len(templates)], rng) for i in range(num_problems)]
