"""`motet inspect`: what a model is, what a row of it costs, and which conv mode fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from motet.engine import load
from motet.errors import InputError
from motet.eval.convmode import ConvModeVerdict, judge, output_losses
from motet.runtime.cost import cost_of
from motet.runtime.directory import EMBEDDED, Kind, ModelDirectory, read_directory
from motet.runtime.opening import Dtype, weight_shapes
from motet.streams.layout import ConvMode, Layout


def inspect(
    model: Annotated[str, typer.Argument(help="motet-tiny or a model directory.")] = EMBEDDED,
    text: Annotated[
        str | None, typer.Option(help="Measure this text's loss under each conv mode.")
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The same with the text of a file.")
    ] = None,
    dtype: Annotated[Dtype, typer.Option()] = Dtype.FLOAT32,
) -> None:
    """Print a model's architecture, layout, bytes and cost a row; given a text, its conv mode."""
    directory = read_directory(model)
    console = Console(highlight=False)
    console.print(_architecture(directory), soft_wrap=True)
    console.print(_layout(directory), soft_wrap=True)
    console.print(_cost(directory, dtype), soft_wrap=True)
    measured = _text(text, text_file)
    if measured is not None:
        console.print(_conv_modes(directory, dtype, measured), soft_wrap=True)


def _text(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InputError("--text and --text-file", expected="one of them", got="both")
    if file is None:
        return text
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("--text-file", expected="a UTF-8 text file", got=error) from None


def _rows(title: str, rows: dict[str, object]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for name, value in rows.items():
        table.add_row(name, str(value))
    return table


def _architecture(directory: ModelDirectory) -> Table:
    config = directory.config
    layers = config.get("layer_types") or ["full_attention"] * config["num_hidden_layers"]
    num_conv = layers.count("conv")
    rows: dict[str, object] = {
        "directory": directory.path,
        "kind": directory.kind.value,
        "architecture": config.get("model_type"),
        "layers": f"{num_conv} short conv, {len(layers) - num_conv} attention",
        "width": config["hidden_size"],
        "heads": f"{config['num_attention_heads']} query, {config['num_key_value_heads']} KV",
        "vocabulary": config["vocab_size"],
        "context": f"{config.get('max_position_embeddings')} rows",
    }
    if config.get("num_experts"):
        rows["experts"] = f"{config['num_experts']}, {config['num_experts_per_tok']} a cell"
    return _rows("Architecture", rows)


def _layout(directory: ModelDirectory) -> Table:
    layout = directory.layout
    rows: dict[str, object] = {
        f"channel {i}": f"{c.name} ({c.role.value})" for i, c in enumerate(layout.channels)
    }
    rows["silence"] = "none" if layout.silence is None else _token(layout, "silence")
    rows["end"] = "none" if layout.end is None else _token(layout, "end")
    stated = "" if directory.conv_mode_known else " (assumed: not stated; measure with --text)"
    rows["conv mode"] = layout.conv_mode.value + stated
    rows["channel embedding"] = "yes" if layout.channel_embedding else "no"
    rows["opening"] = f"{len(layout.opening_RC())} rows"
    return _rows("Layout", rows)


def _token(layout: Layout, which: str) -> str:
    token = getattr(layout, which)
    return f"{token.text!r} (id {token.id})"


def _cost(directory: ModelDirectory, dtype: Dtype) -> Table:
    layout = directory.layout
    cost = cost_of(
        weight_shapes(directory), directory.config, layout.num_channels, len(layout.sampled_indices)
    )
    size = 4 if dtype is Dtype.FLOAT32 else 2
    rows: dict[str, object] = {
        "parameters": f"{cost.parameters:,}",
        "weights": f"{cost.parameters * size:,} bytes as {dtype.value}",
        "a row reads": f"{cost.row_parameters * size:,} bytes of weights",
        "a row computes": f"{cost.row_multiply_adds:,} multiply-adds",
        "a row adds": f"{cost.kv_values_per_row * size:,} bytes of keys and values",
        "conv state": f"{cost.conv_values * size:,} bytes a session",
    }
    if cost.distinct_experts:
        rows["experts a row touches"] = f"{cost.distinct_experts:.1f} a layer (expected)"
    return _rows("Cost", rows)


def _conv_modes(directory: ModelDirectory, dtype: Dtype, text: str) -> Table:
    if directory.layout.num_channels == 1 or "conv" not in directory.config.get("layer_types", []):
        return _rows("Conv mode", {"verdict": "both modes are the same for this model"})
    losses = {}
    for mode in ConvMode:
        engine: Any = load(directory.path, dtype=dtype, conv_mode=mode)
        losses[mode] = output_losses(engine.runtime, engine.codec, text)
    verdict = judge(losses)
    rows: dict[str, object] = {
        mode.value: f"{loss:.4f} nats a token" for mode, loss in verdict.losses.items()
    }
    rows["tokens"] = verdict.num_tokens
    rows["difference"] = f"{verdict.difference:.4f} ± {verdict.standard_error:.4f} (standard error)"
    rows["verdict"] = _verdict(verdict, directory)
    return _rows("Conv mode, loss of the text on Output", rows)


def _verdict(verdict: ConvModeVerdict, directory: ModelDirectory) -> str:
    if verdict.fits is None:
        return "undecided: the difference is within two standard errors; give a longer text"
    line = f"{verdict.fits.value} fits"
    if directory.kind is not Kind.STOCK and verdict.fits is not directory.layout.conv_mode:
        line += f", but the layout says {directory.layout.conv_mode.value}: use --conv-mode"
    return line
