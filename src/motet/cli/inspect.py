"""`motet inspect`: what a model is, what a row of it costs, and which conv mode fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from motet.cli.opening import open_engine
from motet.errors import InputError
from motet.eval.convmode import ConvModeVerdict, judge, output_losses
from motet.formats.directory import EMBEDDED, Kind
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import GGUFModel
from motet.formats.hyperparameters import Hyperparameters
from motet.protocol.printable import printable
from motet.runtime.cost import Cost, cost_of
from motet.runtime.directory import ModelSource, numbers_of, read_source, sizes_of
from motet.runtime.opening import (
    CacheType,
    Dtype,
    device_lines,
    native_is_installed,
    session_bytes,
    ways_of,
)
from motet.streams.layout import ConvMode, SpecialToken

Section = dict[str, str]

_BYTES = {Dtype.FLOAT32: 4, Dtype.BFLOAT16: 2, Dtype.FLOAT16: 2}
_SESSION_ROWS = 2048


def inspect(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help=f"{EMBEDDED}, a model directory or a GGUF file."),
    ] = EMBEDDED,
    text: Annotated[
        str | None,
        typer.Option(help="Measure the loss of this text under each conv mode.", metavar="TEXT"),
    ] = None,
    text_file: Annotated[
        Path | None, typer.Option(help="The same with the text of a file.", metavar="FILE")
    ] = None,
    dtype: Annotated[
        Dtype | None,
        typer.Option(
            help="Precision to count a directory's bytes in.", show_default=Dtype.FLOAT32.value
        ),
    ] = None,
    cache: Annotated[CacheType, typer.Option(help="Precision of keys and values.")] = CacheType.F16,
) -> None:
    """Print what a model is and what a row of it costs.

    Given a text, also its loss under each conv mode, and which mode fits the model.
    """
    source = read_source(model)
    measured = _text(text, text_file)
    if dtype is not None and isinstance(source, GGUFModel):
        raise InputError("--dtype", expected="none for a GGUF file", got=dtype.value)
    layout, numbers = source.layout, numbers_of(source)
    sizes = sizes_of(source, _BYTES[dtype or Dtype.FLOAT32])
    cost = cost_of(numbers, sizes, layout.num_channels, len(layout.sampled_indices))
    sections = {
        "Architecture": _architecture(source, numbers, cost),
        "Layout": _layout(source, cost),
        "Cost": _cost(source, numbers, cost, dtype or Dtype.FLOAT32, cache),
    }
    if native_is_installed():
        sections["Products with weights, in the native runtime"] = ways_of(source, numbers, dtype)
        sections["Devices"] = device_lines()
    if measured is not None:
        title = f"Conv mode, by the loss of the text on {layout.names[layout.output_index]}"
        sections[title] = _conv_mode(source, cost, dtype, cache, measured)
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


def _architecture(source: ModelSource, numbers: Hyperparameters, cost: Cost) -> Section:
    is_file = isinstance(source, GGUFModel)
    rows = {
        "file" if is_file else "directory": str(source.path),
        "kind": "GGUF" if isinstance(source, GGUFModel) else source.kind.value,
        "architecture": numbers.architecture.value,
        "layers": f"{cost.num_conv_layers} short conv, {cost.num_attention_layers} attention",
        "width": str(numbers.width),
        "heads": f"{numbers.num_heads} query, {max(numbers.num_kv_heads)} KV",
        "vocabulary": f"{numbers.vocab_size:,} tokens",
        "context": f"{numbers.context_rows:,} rows",
    }
    if cost.distinct_experts:
        rows["experts"] = f"{numbers.num_experts}, {numbers.num_active_experts} a cell"
    return rows


def _layout(source: ModelSource, cost: Cost) -> Section:
    layout = source.layout
    mode = layout.conv_mode.value
    if layout.num_channels == 1 or not cost.num_conv_layers:
        mode = f"{' or '.join(ConvMode)}, they are the same here"
    elif not isinstance(source, GGUFModel) and not source.conv_mode_known:
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


def _cost(
    source: ModelSource, numbers: Hyperparameters, cost: Cost, dtype: Dtype, cache: CacheType
) -> Section:
    precision = dtype.value
    if isinstance(source, GGUFModel):
        types = {GGMLType(info.type).name for info in source.tensors.values()}
        precision = ", ".join(sorted(types))
    rows = {
        "parameters": f"{cost.parameters:,}",
        "weights": f"{_bytes(cost.weight_bytes)} as {precision}",
        "a row reads": f"{_bytes(cost.row_bytes)} of weights",
        "a row computes": f"{cost.row_multiply_adds:,} multiply-adds with weights",
    }
    if cost.distinct_experts:
        rows["experts a row touches"] = f"{cost.distinct_experts:.1f} a layer (expected)"
    if native_is_installed():
        num_rows = min(_SESSION_ROWS, numbers.context_rows)
        taken = session_bytes(numbers, source.layout.num_channels, num_rows, cache)
        rows[f"a session of {num_rows:,} rows"] = f"{_bytes(taken)}, keys as {cache.value}"
    return rows


def _bytes(number: int) -> str:
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if number >= 10 ** (3 * power):
            return f"{number:,} bytes ({number / 10 ** (3 * power):.3g} {unit})"
    return f"{number:,} bytes"


def _conv_mode(
    source: ModelSource, cost: Cost, dtype: Dtype | None, cache: CacheType, text: str
) -> Section:
    if source.layout.num_channels == 1:
        return {"verdict": "one channel: both modes are the same"}
    if not cost.num_conv_layers:
        return {"verdict": "no short conv: both modes are the same"}
    verdict = judge({mode: _losses(source, dtype, cache, mode, text) for mode in ConvMode})
    return {
        **{mode.value: f"{loss:.4f} nats a token" for mode, loss in verdict.losses.items()},
        "tokens": str(verdict.num_tokens),
        "difference": f"{verdict.difference:.4f}, standard error {verdict.standard_error:.4f}",
        "verdict": _verdict(verdict, source),
    }


def _losses(
    source: ModelSource, dtype: Dtype | None, cache: CacheType, mode: ConvMode, text: str
) -> NDArray[np.float64]:
    engine = open_engine(str(source.path), dtype=dtype, conv_mode=mode, cache=cache)
    return output_losses(engine.runtime, engine.codec, text)


def _verdict(verdict: ConvModeVerdict, source: ModelSource) -> str:
    if verdict.fits is None:
        return "undecided, within two standard errors: give a longer text"
    taken = source.layout.conv_mode
    if verdict.fits is taken:
        return f"{verdict.fits.value} fits"
    is_stated = isinstance(source, GGUFModel) or source.kind is Kind.OWN
    what = "the layout says" if is_stated else "motet assumes"
    return f"{verdict.fits.value} fits, but {what} {taken.value}: run with --conv-mode"
