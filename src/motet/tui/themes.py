"""Colours: a dark and a light theme of our own, and the terminal's colours as they are.

`$voice-...` are the inks of the channels.
"""

from __future__ import annotations

from typing import Literal

from textual.theme import Theme

__all__ = ["INK_DEFAULTS", "THEMES", "ThemeName"]

ThemeName = Literal["dark", "light", "plain"]

INK_DEFAULTS = {
    "voice-input": "#7fb4ca",
    "voice-output": "#a3c585",
    "voice-thought-0": "#a292d0",
    "voice-thought-1": "#e0bc7a",
    "voice-thought-2": "#d694a6",
    "voice-thought-3": "#7fb8ad",
    "voice-thought-4": "#e39a6f",
}

_DARK = Theme(
    name="motet-dark",
    primary="#a3c585", secondary="#7fb4ca", accent="#e0bc7a", warning="#e0bc7a", error="#d9817f",
    success="#a3c585", foreground="#d7d7dc", background="#15161b", surface="#1b1d24",
    panel="#20222b", dark=True, variables=INK_DEFAULTS,
)  # fmt: skip

_LIGHT = Theme(
    name="motet-light",
    primary="#4b7a2a", secondary="#2b6c8c", accent="#8f6410", warning="#8f6410", error="#a83a3a",
    success="#4b7a2a", foreground="#2a2b30", background="#faf9f5", surface="#f3f1ea",
    panel="#ebe8df", dark=False,
    variables={
        "voice-input": "#2b6c8c", "voice-output": "#4b7a2a", "voice-thought-0": "#6750a4",
        "voice-thought-1": "#8f6410", "voice-thought-2": "#9d3f5c", "voice-thought-3": "#22756a",
        "voice-thought-4": "#a3501f",
    },
)  # fmt: skip

_PLAIN = Theme(
    name="motet-plain",
    primary="ansi_green", secondary="ansi_cyan", accent="ansi_yellow", warning="ansi_yellow",
    error="ansi_red", success="ansi_green", foreground="ansi_default", background="ansi_default",
    surface="ansi_default", panel="ansi_default", boost="ansi_default", dark=True, ansi=True,
    variables={
        "voice-input": "ansi_cyan", "voice-output": "ansi_green",
        "voice-thought-0": "ansi_magenta", "voice-thought-1": "ansi_yellow",
        "voice-thought-2": "ansi_blue", "voice-thought-3": "ansi_bright_cyan",
        "voice-thought-4": "ansi_bright_red",
        "ansi-background": "ansi_black", "ansi-foreground": "ansi_white",
        "border-blurred": "ansi_default", "block-cursor-text-style": "reverse",
        "block-cursor-foreground": "ansi_default", "block-cursor-background": "ansi_default",
        "input-cursor-background": "ansi_default", "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_bright_blue",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_bright_blue",
        "screen-selection-foreground": "ansi_black",
    },
)  # fmt: skip
"""The 16 colours of the terminal; without colour at all, signs and text styles still differ."""

THEMES: dict[ThemeName, Theme] = {"dark": _DARK, "light": _LIGHT, "plain": _PLAIN}
