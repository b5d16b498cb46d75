"""Pictures of a dataset, each a PNG file of its own.

fill.png      how much of its rows each channel speaks
when.png      who speaks in which part of a conversation, and around the end of a question
together.png  of the rows in which one channel speaks, in how many another one does
lag.png       rows from the end of a question to the reply
lengths.png   rows of conversations, and of the messages of each channel
score.png     some conversations row by row, as a score
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from motet.data.stats.statistics import NUM_BINS, ROWS_AFTER, ROWS_BEFORE, Statistics, quantile
from motet.data.stats.timeline import Timeline
from motet.data.whole import whole_file
from motet.streams.layout import Channel, Role

_INPUTS, _OUTPUTS = ("#2b6c8c", "#5b93ad"), ("#4b7a2a",)
_THOUGHTS = ("#6750a4", "#b07d1a", "#9d3f5c", "#22756a", "#a3501f", "#5d6470", "#3f51a5")
_PAPER, _INK, _FAINT = "#faf9f5", "#2a2b30", "#d9d6cc"
_DPI = 150
_MOST_SCORES = 4

Example = tuple[str, Timeline]
"""The id of a conversation, and its timeline."""


def draw(statistics: Statistics, examples: Sequence[Example], folder: Path) -> list[Path]:
    """Draw everything there is something to draw of into `folder`; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[Path], None]] = {
        "fill.png": partial(_draw_fill, statistics),
        "when.png": partial(_draw_when, statistics),
        "together.png": partial(_draw_together, statistics),
        "lengths.png": partial(_draw_lengths, statistics),
    }
    if statistics.lags:
        pictures["lag.png"] = partial(_draw_lag, statistics)
    if examples:
        pictures["score.png"] = partial(_draw_scores, statistics.channels, examples[:_MOST_SCORES])
    for name, picture in pictures.items():
        picture(folder / name)
    return [folder / name for name in pictures]


def inks(channels: Sequence[Channel]) -> list[str]:
    """A colour for each channel, by its role."""
    left = {
        Role.INPUT: _INPUTS, Role.OUTPUT: _OUTPUTS, Role.THOUGHT: _THOUGHTS,
    }  # fmt: skip
    met: Counter[Role] = Counter()
    colours = []
    for channel in channels:
        choices = left[channel.role]
        colours.append(choices[met[channel.role] % len(choices)])
        met[channel.role] += 1
    return colours


@contextmanager
def _figure(path: Path, title: str, width: float, height: float) -> Iterator[Figure]:
    """A figure that is written when it is drawn."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor=_PAPER)
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK, fontsize=12, x=0.01, ha="left", fontweight="bold")
    yield figure
    with whole_file(path) as file:
        figure.savefig(file, format="png", dpi=_DPI, facecolor=_PAPER)


def _plain(axes: Any, *, xlabel: str = "", ylabel: str = "") -> None:
    axes.set_facecolor(_PAPER)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_FAINT)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.set_xlabel(xlabel, color=_INK, fontsize=9)
    axes.set_ylabel(ylabel, color=_INK, fontsize=9)


def _draw_fill(statistics: Statistics, path: Path) -> None:
    channels = statistics.channels
    fills = [100 * one.num_spoken / max(statistics.num_rows, 1) for one in statistics.by_channel]
    with _figure(path, "Rows in which a channel speaks", 6.4, 0.7 + 0.45 * len(fills)) as figure:
        axes = figure.subplots()
        places = np.arange(len(fills))
        bars = axes.barh(places, fills, color=inks(channels), height=0.62)
        axes.bar_label(bars, [f"{fill:.1f} %" for fill in fills], padding=4, color=_INK, fontsize=9)
        axes.set_yticks(places, [channel.name for channel in channels])
        axes.invert_yaxis()
        axes.set_xlim(0, max(max(fills) * 1.18, 1))
        _plain(axes, xlabel="% of rows")


def _draw_when(statistics: Statistics, path: Path) -> None:
    with _figure(path, "Who speaks when", 7.6, 5.4) as figure:
        over, around = figure.subplots(2, 1)
        parts = (np.arange(NUM_BINS) + 0.5) * 100 / NUM_BINS
        rows = np.arange(-ROWS_BEFORE, ROWS_AFTER + 1)
        met = statistics.heard_K > 0
        for number, (channel, ink) in enumerate(
            zip(statistics.channels, inks(statistics.channels), strict=True)
        ):
            spoken = statistics.spoken_CN[number] / np.maximum(statistics.rows_N, 1)
            over.plot(parts, 100 * spoken, color=ink, label=channel.name, linewidth=1.8)
            near = statistics.around_CK[number] / np.maximum(statistics.heard_K, 1)
            around.plot(rows[met], 100 * near[met], color=ink, linewidth=1.8)
        _plain(over, xlabel="% of the conversation", ylabel="% speaking")
        _plain(around, xlabel="rows from the end of a question", ylabel="% speaking")
        around.axvline(0, color=_FAINT, linewidth=1, zorder=0)
        for axes in (over, around):
            axes.set_ylim(-2, 102)
            axes.margins(x=0.01)
        over.legend(
            frameon=False, fontsize=9, ncols=len(statistics.channels), labelcolor=_INK,
            loc="lower left", bbox_to_anchor=(0, 1.0),
        )  # fmt: skip


def _draw_together(statistics: Statistics, path: Path) -> None:
    names = [channel.name for channel in statistics.channels]
    own = np.maximum(np.diag(statistics.together_CC), 1)[:, None]
    shares = 100 * statistics.together_CC / own
    side = 2.2 + 0.75 * len(names)
    with _figure(path, "While one speaks, who does", side + 0.6, side) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="BuGn", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(shares):
            ink = _PAPER if value > 60 else _INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=9)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), [f"while {name}" for name in names])
        _plain(axes, xlabel="% of the rows of the one on the left")


def _draw_lag(statistics: Statistics, path: Path) -> None:
    lags, unanswered = statistics.lags, statistics.num_unanswered
    note = f"{lags.total():,} questions, {unanswered:,} without a reply"
    with _figure(path, "Rows from the end of a question to the reply", 7.0, 3.0) as figure:
        axes = figure.subplots()
        ink = inks(statistics.channels)[statistics.output]
        axes.bar(*_bars(lags), color=ink, align="edge")
        if (median := quantile(lags, 0.5)) is not None:
            axes.axvline(median, color=_INK, linewidth=1, linestyle=":")
            axes.annotate(
                f"median {median}", (median, 0.97), xycoords=("data", "axes fraction"),
                xytext=(4, 0), textcoords="offset points", va="top", fontsize=9, color=_INK,
            )  # fmt: skip
        _plain(axes, xlabel=f"rows ({note})", ylabel="questions")


def _draw_lengths(statistics: Statistics, path: Path) -> None:
    num_channels = len(statistics.channels)
    with _figure(path, "How long", 7.6, 2.6 + 0.42 * num_channels) as figure:
        whole, messages = figure.subplots(2, 1, height_ratios=(1.4, 0.28 * num_channels + 0.5))
        whole.bar(*_bars(statistics.lengths), color=_INK, align="edge")
        _plain(whole, xlabel="rows of a conversation", ylabel="conversations")
        for number, (one, ink) in enumerate(
            zip(statistics.by_channel, inks(statistics.channels), strict=True)
        ):
            if one.lengths:
                low, middle, high = (quantile(one.lengths, s) for s in (0.1, 0.5, 0.9))
                messages.plot([low, high], [number, number], color=ink, linewidth=5,
                              solid_capstyle="round", alpha=0.45)  # fmt: skip
                messages.plot([middle], [number], "o", color=ink, markersize=7)
        messages.set_yticks(range(num_channels), [c.name for c in statistics.channels])
        messages.set_ylim(num_channels - 0.5, -0.5)
        messages.set_xlim(left=0)
        _plain(messages, xlabel="rows of a message: median, and 80 % of all")


def _draw_scores(channels: Sequence[Channel], examples: Sequence[Example], path: Path) -> None:
    height = 0.6 + len(examples) * (0.55 + 0.22 * len(channels))
    with _figure(path, "Some conversations, row by row", 9.0, height) as figure:
        rows = figure.subplots(len(examples), 1, squeeze=False)[:, 0]
        for axes, (name, timeline) in zip(rows, examples, strict=True):
            for number, ink in enumerate(inks(channels)):
                spoken = np.flatnonzero(timeline.speaks_RC[:, number])
                axes.broken_barh([(row, 1) for row in spoken], (number - 0.38, 0.76), color=ink)
            axes.set_yticks(range(len(channels)), [channel.name for channel in channels])
            axes.set_ylim(len(channels) - 0.5, -0.5)
            axes.set_xlim(0, max(timeline.num_rows, 1))
            axes.set_title(name, fontsize=9, color=_INK, loc="left", parse_math=False)
            _plain(axes, xlabel="row" if axes is rows[-1] else "")


def _bars(counts: Counter[int], most: int = 60) -> tuple[list[int], list[int], int]:
    """Left edges, heights and width of about `most` bars; the highest 1 % share the last."""
    low = min(counts, default=0)
    high = max(quantile(counts, 0.99) or 0, low)
    width = max(1, -(-(high - low + 1) // most))
    heights: Counter[int] = Counter()
    for value, number in counts.items():
        heights[min((value - low) // width, (high - low) // width)] += number
    return [low + place * width for place in sorted(heights)], [
        heights[place] for place in sorted(heights)
    ], width  # fmt: skip
