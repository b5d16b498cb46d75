"""Streams or a sequence? Generates, trains, asks and compares; each part goes on where it stopped.

The models differ in how a worked-out problem is laid out, and in nothing else: the same problems,
the same words, the same sizes, and the same number of cells computed in training. In one channel a
conversation takes fewer cells, so the same number of them is more passes over the data; `once` are
sequences that see as many conversations as the streams do, in fewer steps or in smaller ones.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from motet.eval.questions.figures import Figures, Rate
from motet.eval.questions.paired import Paired
from motet.eval.questions.results import read_trials
from motet.eval.questions.trial import Trial

HERE = Path(__file__).parent
TASKS = (
    "--share", "sum=0.5", "--share", "problem=0.5", "--share", "mistake=0.2",
    "--share", "disguised=0", "--share", "needless=0", "--share", "second_turn=0",
    "--share", "prefilled=0", "--templates", "train_one_step", "--max-number", "199",
    "--max-steps", "2",
)  # fmt: skip
USER, OUTPUT, THINK, SKEPTICAL = (
    f'{{name="{name}",role="{role}"}}'
    for name, role in (
        ("User", "input"), ("Output", "output"), ("Think", "thought"), ("Skeptical", "thought")
    )
)  # fmt: skip
CELLS_OF_A_LINE = 1_024  # four lines a step


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    problems: int
    questions: int
    steps: int
    warmup_steps: int
    vocabulary: int
    contenders: int
    changes: tuple[str, ...] = ()


WHOLE = Size(12_500, 1_050, 800, 50, 1_024, 6)
SMALL = Size(60, 8, 3, 1, 320, 2, ("model.new.width=16", "model.new.dense_width=16"))


@dataclass(frozen=True)
class Contender:
    """A model: its name in the table, how its data are arranged, its channels, its steps."""

    name: str
    title: str
    arrangement: str
    channels: tuple[str, ...]
    share_of_steps: float = 1.0
    share_of_cells: float = 1.0

    @property
    def is_sequence(self) -> bool:
        return len(self.channels) == 1


CONTENDERS = (
    Contender("streams", "four streams", "streams", (USER, OUTPUT, THINK, SKEPTICAL)),
    Contender(
        "sequence-undoubted", "a sequence, without Skeptical", "sequence-undoubted", (OUTPUT,)
    ),
    Contender("sequence", "a sequence, with Skeptical's text", "sequence", (OUTPUT,)),
    Contender(
        "streams-undoubted", "three streams, without Skeptical", "streams-undoubted",
        (USER, OUTPUT, THINK),
    ),
    Contender(
        "sequence-once", "a sequence, without Skeptical, each problem once, in 180 steps",
        "sequence-undoubted", (OUTPUT,), share_of_steps=0.225,
    ),
    Contender(
        "sequence-once-smaller",
        "a sequence, without Skeptical, each problem once, in 800 smaller steps",
        "sequence-undoubted", (OUTPUT,), share_of_cells=0.2275,
    ),
)  # fmt: skip


def motet(*arguments: object, output: Path | None = None) -> None:
    """Run a command of Motet, its output to a file if one is given; end if it fails."""
    command = [sys.executable, "-m", "motet", *map(str, arguments)]
    with output.open("w") if output is not None else nullcontext() as file:
        if code := subprocess.run(command, stdout=file, check=False).returncode:
            raise SystemExit(code)


def generate(out: Path, contender: Contender, size: Size) -> Path:
    """The data of a contender; the first one's tokenizer is everybody's."""
    data = out / "data" / contender.arrangement
    tokenizer: tuple[object, ...] = ("--tokenizer", out / "data" / "streams" / "tokenizer.json")
    if contender.arrangement == "streams":
        tokenizer = ("--learn-tokenizer", size.vocabulary)
    motet(
        "data", "generate", data, "--arrangement", contender.arrangement, *tokenizer, *TASKS,
        "--split", "train", "--seed", 1, "--num-conversations", size.problems,
    )  # fmt: skip
    return data


def train(out: Path, contender: Contender, size: Size, data: Path) -> Path:
    """The trained model."""
    cells = CELLS_OF_A_LINE * contender.share_of_cells
    steps = max(2, round(size.steps * contender.share_of_steps))
    changes = (
        f'name="{contender.name}"',
        f'model.new.tokenizer="{out}/data/streams/tokenizer.json"',
        f"layout.channels=[{','.join(contender.channels)}]",
        f"layout.channel_embedding={'false' if contender.is_sequence else 'true'}",
        f'data.train=[{{path="{data}"}}]',
        f"data.rows_per_sequence={round(cells / len(contender.channels))}",
        f"schedule.num_steps={steps}",
        f"schedule.warmup_steps={size.warmup_steps}",
        f"schedule.decay_steps={steps * 3 // 8}",
        *((f'export.chat_template="{HERE}/chat_template.jinja"',) * contender.is_sequence),
        *size.changes,
    )
    folder = out / contender.name
    options = [part for change in changes for part in ("--set", change)]
    motet("train", HERE / "config.toml", "--output", folder, *options)
    return folder / "last"


def ask(out: Path, model: Path, name: str, *options: str) -> list[Trial]:
    """What the model makes of the questions, which it has never seen calculated."""
    trials = out / f"{name}.jsonl"
    motet(
        "eval", "jsonl", model, out / "questions.jsonl", "--output", trials, "--threads", 1,
        "--silence-penalty-output", 0, "--json", *options, output=out / f"{name}.json",
    )  # fmt: skip
    return read_trials(trials)


def table(found: dict[str, tuple[Contender, list[Trial]]]) -> str:
    """One line a contender, in Markdown."""
    lines = [
        "| model | right (95 %) | ended by itself | rows until it answers, mean (90 % within) "
        "| rows in all | cells in all |",
        "|---|---|---|---|---|---|",
    ]
    for title, (contender, trials) in found.items():
        figures = Figures.of(trials)
        wait, rows = figures.wait_rows, figures.num_rows
        waited = "-" if wait is None else f"{wait.mean:.1f} ({wait.p90:.0f})"
        mean_rows = 0.0 if rows is None else rows.mean
        lines.append(
            f"| {title} | {share(figures.accuracy)} | {figures.ended.share:.1%} | {waited} "
            f"| {mean_rows:.1f} | {mean_rows * len(contender.channels):.0f} |"
        )
    return "\n".join(lines)


def share(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.share:.1%} ({100 * low:.1f}-{100 * high:.1f})"


def pairs(found: dict[str, tuple[Contender, list[Trial]]]) -> str:
    """The first line of the table against each of the others, question by question."""
    (first, (_, reference)), *others = found.items()
    lines = [
        f"| {first} against | accuracy (95 %) | McNemar's p | rows until it answers (95 %) |",
        "|---|---|---|---|",
    ]
    for title, (_, trials) in others:
        paired = Paired.of(reference, trials)
        low, high = paired.interval
        waits = "-"
        if paired.wait_difference is not None:
            mean, between = paired.wait_difference
            waits = f"{mean:+.1f} ({between.low:+.1f} to {between.high:+.1f})"
        lines.append(
            f"| {title} | {100 * paired.difference:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) "
            f"| {paired.p:.2g} | {waits} |"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Make the data, train and ask every contender, and write the table. [--small] [FOLDER]"""
    is_small = "--small" in arguments
    folders = [argument for argument in arguments if argument != "--small"]
    size, out = (SMALL if is_small else WHOLE), Path(folders[0] if folders else HERE / "out")
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[Contender, list[Trial]]] = {}
    for contender in CONTENDERS[: size.contenders]:
        data = generate(out, contender, size)
        if not (out / "questions.jsonl").exists():
            motet(
                "data", "generate", out / "questions.jsonl", "--as", "questions", *TASKS,
                "--split", "test", "--seed", 2, "--num-conversations", size.questions,
            )  # fmt: skip
        model = train(out, contender, size, data)
        streams = ("--silence-penalty-thought", "0")
        options = ("--answer-after", "<|answer|>") if contender.is_sequence else streams
        found[contender.title] = contender, ask(out, model, contender.name, *options)
        if contender.name == "streams":
            silenced = ask(out, model, "streams-ablated", *streams, "--ablate", "Skeptical")
            found["four streams, Skeptical silenced"] = contender, silenced
    text = f"{table(found)}\n\n{pairs(found)}\n"
    (out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
