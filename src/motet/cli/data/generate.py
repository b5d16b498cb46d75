"""`motet data generate`: the conversations that the embedded model learns from, as a dataset."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from motet.cli.data.making import ProcessesOption, RayOption, make
from motet.errors import SettingError
from motet.formats.directory import EMBEDDED

if TYPE_CHECKING:
    from motet.data.spread import Part
    from motet.data.tiny.generate import Generation

Kind = TypeVar("Kind", bound=StrEnum)
_STREAMS, _TRAINING = "streams", "training"


class Form(StrEnum):
    """What is written."""

    GRIDS = "grids"
    TABLES = "tables"
    QUESTIONS = "questions"


def generate(
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="The new dataset; with --as questions, a file.")
    ],
    num_conversations: Annotated[int, typer.Option(min=1, help="How many are drawn.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other conversations.")] = 0,
    form: Annotated[
        Form,
        typer.Option(
            "--as", help="Tokens for training; text for people; or questions with answers, JSONL."
        ),
    ] = Form.GRIDS,
    arrangement: Annotated[
        str,
        typer.Option(
            help="streams; streams-undoubted (no Skeptical); or all in one channel, one after the "
            "other: sequence, sequence-undoubted."
        ),
    ] = _STREAMS,
    problems: Annotated[
        str,
        typer.Option(
            help="training; or word problems that no training sees, to measure with: development, "
            "held-out (nobody looks at what a model makes of these)."
        ),
    ] = _TRAINING,
    split: Annotated[
        str | None,
        typer.Option(
            help="Only calculations for training, or only those for testing.", show_default="all"
        ),
    ] = None,
    max_number: Annotated[
        int | None,
        typer.Option(min=1, help="No larger number in any calculation.", show_default="any"),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option(min=1, help="No longer working.", show_default="three, or more for letters"),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE",
            help="A family (story, problem, gsm8k, sum, letters, talk; those not named are left "
            "out then), or second_turn, interrupted, mistake, prefilled, disguised, needless.",
            show_default="those of the embedded model",
        ),
    ] = None,
    templates: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Files of word problems.", show_default="all"),
    ] = None,
    tokenizer: Annotated[
        str,
        typer.Option(metavar="MODEL", help=f"{EMBEDDED}, a model directory or a tokenizer.json."),
    ] = EMBEDDED,
    learn_tokenizer: Annotated[
        int | None,
        typer.Option(
            min=300, metavar="SIZE", help="Learn a tokenizer of so many tokens instead.",
            show_default="off",
        ),
    ] = None,
    decision_weight: Annotated[
        float, typer.Option(min=0.01, help="In the loss, of cells that say which step is taken.")
    ] = 3.0,
    shard_size: Annotated[int, typer.Option(min=1, help="Conversations of one file.")] = 4_096,
    processes: ProcessesOption = 1,
    ray: RayOption = None,
) -> None:  # fmt: skip
    """Generate conversations with worked-out answers, without any model.

    Sums, word problems, letters and words, small talk: as streams, or as a sequence. The tokenizer
    lies in a dataset of grids as tokenizer.json.
    """
    from motet.data.tiny.arrangement import Arrangement
    from motet.data.tiny.generate import Generation, Problems, source_of
    from motet.data.tiny.split import Split

    chosen = _one_of(Problems, problems, "--problems")
    choices = (split, max_number, max_steps, share, templates)
    if chosen is not Problems.TRAINING and any(choices):
        raise SettingError(
            f"--problems {problems}", expected="nothing that chooses tasks beside it",
            got="--split, --max-number, --max-steps, --share or --templates",
        )  # fmt: skip
    generation = Generation(
        num_conversations=num_conversations,
        conversations_per_shard=shard_size,
        seed=seed,
        arrangement=_one_of(Arrangement, arrangement, "--arrangement"),
        split=None if split is None else _one_of(Split, split, "--split"),
        problems=chosen,
        max_number=max_number,
        max_steps=max_steps,
        shares=dict(map(_named_share, share or ())),
        templates=tuple(templates or ()),
    )
    source_of(generation)
    if form is Form.QUESTIONS:
        _write_questions(generation, output)
        return
    if form is Form.TABLES and generation.arrangement.is_sequence:
        raise SettingError(
            "--as tables", expected="streams", got="a sequence, of which no table can say all",
            fix="use --as grids",
        )  # fmt: skip
    content = _tokenizer(generation, tokenizer, learn_tokenizer)
    _write_dataset(generation, output, form, content, decision_weight, processes, ray)


def _write_dataset(
    generation: Generation,
    output: Path,
    form: Form,
    tokenizer: str,
    decision_weight: float,
    processes: int,
    ray: str | None,
) -> None:
    import hashlib

    from tokenizers import Tokenizer

    from motet.data.building import Building
    from motet.data.dataset import MadeBy
    from motet.data.grids import grid_description
    from motet.data.tables import table_description
    from motet.data.tiny.stored import GridPart, TablePart, layout_of
    from motet.data.whole import whole_file
    from motet.streams.codec import TOKENIZER_FILE

    learned = Tokenizer.from_str(tokenizer)
    layout = layout_of(learned, generation.arrangement)
    digest = hashlib.sha256(tokenizer.encode("utf-8")).hexdigest()
    settings = generation.model_dump(mode="json") | {"tokenizer_sha256": digest}
    if form is Form.GRIDS:
        settings["decision_weight"] = decision_weight
    made_by = MadeBy(command=("motet", "data", "generate", "--as", form), sources=(settings,))
    building: Building[Any]
    part: Part
    if form is Form.TABLES:
        building = Building.begin(output, table_description(layout.channels, made_by))
        part = TablePart(generation, tokenizer)
    else:
        size = learned.get_vocab_size(with_added_tokens=True)
        building = Building.begin(output, grid_description(layout, size, digest, made_by))
        with whole_file(output / TOKENIZER_FILE) as file:
            file.write(tokenizer.encode("utf-8"))
        part = GridPart(generation, tokenizer, decision_weight)
    make(building, generation.num_shards, part, num_processes=processes, ray=ray)


def _write_questions(generation: Generation, output: Path) -> None:
    from motet.data.tiny.generate import generated_questions
    from motet.data.whole import whole_file

    lines = [json.dumps(q, ensure_ascii=False) + "\n" for q in generated_questions(generation)]
    content = "".join(lines).encode("utf-8")
    if output.exists():
        if output.is_dir() or output.read_bytes() != content:
            raise SettingError("OUT", expected="a new file", got=f"{output}, which is another")
    else:
        with whole_file(output) as file:
            file.write(content)
    typer.echo(f"{output}: {len(lines):,} questions")


def _tokenizer(generation: Generation, model: str, learned_size: int | None) -> str:
    """The content of the tokenizer.json to use."""
    from motet.data.tiny.generate import learn_tokenizer
    from motet.formats.directory import resolve
    from motet.streams.codec import TOKENIZER_FILE, read_tokenizer

    if learned_size is not None:
        if model != EMBEDDED:
            raise SettingError("--learn-tokenizer", expected="no --tokenizer beside it", got=model)
        return learn_tokenizer(generation, learned_size).to_str(pretty=True)
    path = Path(model) if model.endswith(".json") else resolve(model) / TOKENIZER_FILE
    read_tokenizer(path)
    return path.read_text("utf-8")


def _named_share(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        share = float(value)
    except ValueError:
        raise SettingError("--share", expected="NAME=SHARE, such as sum=0.4", got=text) from None
    if not 0.0 <= share <= 1.0:
        raise SettingError(f"--share {name}", expected="0 to 1", got=value)
    return name, share


def _one_of(kind: type[Kind], value: str, option: str) -> Kind:
    try:
        return kind(value)
    except ValueError:
        raise SettingError(option, expected=" or ".join(kind), got=value) from None
