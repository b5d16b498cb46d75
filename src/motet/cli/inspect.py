"""`motet inspect`: what a model is, what a row of it costs, and which conv mode fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from motet.cli.opening import open_engine
from motet.cli.printable import printable
from motet.errors import CheckpointError, InputError
from motet.eval.convmode import ConvModeVerdict, judge, output_losses
from motet.runtime.cost import Cost, cost_of
from motet.runtime.directory import EMBEDDED, Kind, ModelDirectory, read_directory
from motet.runtime.opening import Dtype, RuntimeName, weight_shapes
from motet.streams.layout import ConvMode, SpecialToken

Section = dict[str, str]

_BYTES = {Dtype.FLOAT32: 4, Dtype.BFLOAT16: 2, Dtype.FLOAT16: 2}


def inspect(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help=f"{EMBEDDED} or a model directory.")
    ] = EMBEDDED,
    text: Annotated[
        str | None,
        typer.Option(help="Measure the loss of this text under each conv mode.", metavar="TEXT"),
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The same with the text of a file.", metavar="FILE")
    ] = None,
    dtype: Annotated[
        Dtype, typer.Option(help="Precision to count bytes and to measure in.")
    ] = Dtype.FLOAT32,
) -> None:
    """Print what a model is and what a row of it costs.

    Given a text, also its loss under each conv mode, and which mode fits the model.
    """
    directory = read_directory(model)
    measured = _text(text, text_file)
    layout = directory.layout
    cost = cost_of(
        weight_shapes(directory), directory.config, layout.num_channels, len(layout.sampled_indices)
    )
    sections = {
        "Architecture": _architecture(directory, cost),
        "Layout": _layout(directory, cost),
        "Cost": _cost(cost, dtype),
    }
    if measured is not None:
        title = f"Conv mode, by the loss of the text on {layout.names[layout.output_index]}"
        sections[title] = _conv_mode(directory, cost, dtype, measured)
    typer.echo("\n\n".join(_lines(title, rows) for title, rows in sections.items()))


def _lines(title: str, rows: Section) -> str:
    width = max(map(len, rows))
    lines = [f"  {name:<{width}}  {printable(value)}" for name, value in rows.items()]
    return "\n".join([title, *lines])


def _text(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InputError("--text and --text-file", expected="one of them", got="both")
    if file is None:
        return text
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--text-file", expected="a UTF-8 text file", got=error) from None


def _architecture(directory: ModelDirectory, cost: Cost) -> Section:
    config = directory.config
    numbers = {
        key: _number(directory, key)
        for key in (
            "hidden_size", "num_attention_heads", "num_key_value_heads", "vocab_size",
            "max_position_embeddings",
        )
    }  # fmt: skip
    rows = {
        "directory": str(directory.path),
        "kind": directory.kind.value,
        "architecture": str(config.get("model_type")),
        "layers": f"{cost.num_conv_layers} short conv, {cost.num_attention_layers} attention",
        "width": str(numbers["hidden_size"]),
        "heads": f"{numbers['num_attention_heads']} query, {numbers['num_key_value_heads']} KV",
        "vocabulary": f"{numbers['vocab_size']:,} tokens",
        "context": f"{numbers['max_position_embeddings']:,} rows",
    }
    if cost.distinct_experts:
        num_experts = _number(directory, "num_experts")
        rows["experts"] = f"{num_experts}, {config['num_experts_per_tok']} a cell"
    return rows


def _number(directory: ModelDirectory, key: str) -> int:
    value = directory.config.get(key)
    if type(value) is not int:
        raise CheckpointError(
            f"{directory.path / 'config.json'}: {key}", expected="an integer", got=repr(value)
        )
    return value


def _layout(directory: ModelDirectory, cost: Cost) -> Section:
    layout = directory.layout
    mode = layout.conv_mode.value
    if layout.num_channels == 1 or not cost.num_conv_layers:
        mode = f"{' or '.join(ConvMode)}, they are the same here"
    elif not directory.conv_mode_known:
        mode += " (assumed, not stated; --text measures it)"
    return {
        **{f"channel {i}": f"{c.name} ({c.role.value})" for i, c in enumerate(layout.channels)},
        "silence": _token(layout.silence),
        "end": _token(layout.end),
        "conv mode": mode,
        "channel embedding": "yes" if layout.channel_embedding else "no",
        "opening rows": str(len(layout.opening_RC())),
    }


def _token(token: SpecialToken | None) -> str:
    return "none" if token is None else f"{token.text!r} (id {token.id})"


def _cost(cost: Cost, dtype: Dtype) -> Section:
    size = _BYTES[dtype]
    rows = {
        "parameters": f"{cost.parameters:,}",
        "weights": f"{_bytes(cost.parameters * size)} as {dtype.value}",
        "a row reads": f"{_bytes(cost.row_parameters * size)} of weights",
        "a row computes": f"{cost.row_multiply_adds:,} multiply-adds with weights",
        "a row adds": f"{_bytes(cost.kv_values_per_row * size)} of keys and values",
        "conv state": f"{_bytes(cost.conv_values * size)} a session",
    }
    if cost.distinct_experts:
        rows["experts a row touches"] = f"{cost.distinct_experts:.1f} a layer (expected)"
    return rows


def _bytes(number: int) -> str:
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if number >= 10 ** (3 * power):
            return f"{number:,} bytes ({number / 10 ** (3 * power):.3g} {unit})"
    return f"{number:,} bytes"


def _conv_mode(directory: ModelDirectory, cost: Cost, dtype: Dtype, text: str) -> Section:
    if directory.layout.num_channels == 1:
        return {"verdict": "one channel: both modes are the same"}
    if not cost.num_conv_layers:
        return {"verdict": "no short conv: both modes are the same"}
    verdict = judge({mode: _losses(directory, dtype, mode, text) for mode in ConvMode})
    return {
        **{mode.value: f"{loss:.4f} nats a token" for mode, loss in verdict.losses.items()},
        "tokens": str(verdict.num_tokens),
        "difference": f"{verdict.difference:.4f}, standard error {verdict.standard_error:.4f}",
        "verdict": _verdict(verdict, directory),
    }


def _losses(
    directory: ModelDirectory, dtype: Dtype, mode: ConvMode, text: str
) -> NDArray[np.float64]:
    engine = open_engine(str(directory.path), RuntimeName.AUTO, dtype, mode)
    return output_losses(engine.runtime, engine.codec, text)


def _verdict(verdict: ConvModeVerdict, directory: ModelDirectory) -> str:
    if verdict.fits is None:
        return "undecided, within two standard errors: give a longer text"
    taken = directory.layout.conv_mode
    if verdict.fits is taken:
        return f"{verdict.fits.value} fits"
    what = "the layout says" if directory.kind is Kind.OWN else "motet assumes"
    return f"{verdict.fits.value} fits, but {what} {taken.value}: run with --conv-mode"
