"""Options of commands that open a model: what computes, and how exactly."""

from __future__ import annotations

from typing import Annotated

import typer

from motet.runtime.opening import CacheType, Dtype, RuntimeName
from motet.streams.layout import ConvMode

__all__ = ["CacheOption", "ConvModeOption", "DeviceOption", "DtypeOption", "RuntimeOption"]

RuntimeOption = Annotated[
    RuntimeName, typer.Option(help="What computes; auto takes the best one installed.")
]
DtypeOption = Annotated[
    Dtype | None,
    typer.Option(help="Precision of a directory's weights.", show_default=Dtype.FLOAT32.value),
]
CacheOption = Annotated[
    CacheType | None,
    typer.Option(
        help="Precision of keys and values (native runtime).", show_default=CacheType.F16.value
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Compute on this device of ggml, e.g. gpu; motet inspect lists them (native runtime).",
        show_default="our own kernels on the processor",
    ),
]
ConvModeOption = Annotated[
    ConvMode | None,
    typer.Option(
        help="How short convolutions run over a grid.", show_default="what the layout says"
    ),
]
