"""Plots as SVG, drawn by hand: bars for counts, a histogram for rows.

A report is one file that needs nothing else, and the base install needs no plotting library for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

__all__ = ["bars", "histogram"]

WIDTH, HEIGHT = 640, 180
NUM_BINS = 32
_LEFT, _BOTTOM, _TOP = 8, 28, 20
_BAR_HEIGHT, _LABEL_WIDTH, _VALUE_WIDTH = 22, 130, 220


def bars(rows: Sequence[tuple[str, float, str]], most: float) -> str:
    """A horizontal bar a row: its label, its length out of `most`, and what stands behind it."""
    room = WIDTH - _LABEL_WIDTH - _VALUE_WIDTH
    parts = []
    for place, (label, value, text) in enumerate(rows):
        y = place * _BAR_HEIGHT
        length = room * value / most if most else 0.0
        parts.append(
            f'<text x="{_LABEL_WIDTH - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="{_LABEL_WIDTH}" y="{y + 3}" width="{length:.1f}" height="16"/>'
            f'<text x="{_LABEL_WIDTH + length + 6:.1f}" y="{y + 15}">{escape(text)}</text>'
        )
    return _svg(parts, max(len(rows), 1) * _BAR_HEIGHT)


def histogram(values: Sequence[float], unit: str) -> str:
    """How often what was counted; the median is marked."""
    counts, edges = _binned(values)
    room, height = WIDTH - 2 * _LEFT, HEIGHT - _BOTTOM - _TOP
    step = room / len(counts)
    parts = []
    for place, count in enumerate(counts):
        high = height * count / max(counts)
        x, y = _LEFT + place * step, _TOP + height - high
        title = f"{edges[place]:g} to {edges[place + 1]:g} {unit}: {count}"
        parts.append(
            f'<rect x="{x + 0.5:.1f}" y="{y:.1f}" width="{max(step - 1, 1):.1f}" '
            f'height="{high:.1f}"><title>{escape(title)}</title></rect>'
        )
    median = float(np.median(values))
    x = _LEFT + room * (median - edges[0]) / (edges[-1] - edges[0])
    base = _TOP + height
    parts += [
        f'<line class="mark" x1="{x:.1f}" y1="{_TOP - 14}" x2="{x:.1f}" y2="{base}"/>',
        f'<text x="{x + 4:.1f}" y="{_TOP - 6}">median {median:g}</text>',
        f'<line x1="{_LEFT}" y1="{base}" x2="{WIDTH - _LEFT}" y2="{base}"/>',
        f'<text x="{_LEFT}" y="{base + 16}">{edges[0]:g}</text>',
        f'<text x="{WIDTH - _LEFT}" y="{base + 16}" text-anchor="end">'
        f"{edges[-1]:g} {escape(unit)}</text>",
    ]
    return _svg(parts, HEIGHT)


def _binned(values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Counts between edges that are whole numbers, `NUM_BINS` at most."""
    low, high = int(np.floor(min(values))), int(np.floor(max(values))) + 1
    width = max(1, -(-(high - low) // NUM_BINS))
    edges = list(range(low, high + width, width))
    counts, _ = np.histogram(np.asarray(values, np.float64), bins=edges)
    return counts.tolist(), [float(edge) for edge in edges]


def _svg(parts: Sequence[str], height: float) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">'
        + "".join(parts)
        + "</svg>"
    )
