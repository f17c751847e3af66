"""Colours and shapes: one colour *and* one shape per class, and the two themes of the screen.

Class colours are apart for the common colour blindnesses, and each comes with a shape, so that
colour is never the only cue. Python is the one place that knows them: the stylesheets get them as
CSS variables (`theme_css`), the map takes them directly.
"""

from __future__ import annotations

from typing import Literal

Theme = Literal["light", "dark"]

SHAPES: tuple[str, ...] = (
    "circle", "square", "triangle", "diamond", "inverted_triangle", "hex", "star", "plus",
)  # fmt: skip
"""Bokeh's names of the class shapes; `assets/dom.js` draws the same ones."""

CLASS_COLOURS: dict[Theme, tuple[str, ...]] = {
    "light": (
        "#0072b2", "#c8501e", "#00875f", "#9a4f96", "#a87400", "#2f8fc4", "#7a5c48", "#6d7a16",
    ),
    "dark": (
        "#4aa8e8", "#ff8a5c", "#2fc495", "#d48fd0", "#efb53a", "#8fd0f5", "#c4a48c", "#bccb52",
    ),
}  # fmt: skip

THEMES: dict[Theme, dict[str, str]] = {
    "light": {
        "page": "#f4f3ef",
        "card": "#ffffff",
        "well": "#fbfbf9",
        "line": "#e3e1da",
        "line-strong": "#cfccc2",
        "text": "#191f22",
        "quiet": "#5f676b",
        "faint": "#6c7275",
        "accent": "#0b6b69",
        "accent-text": "#ffffff",
        "accent-soft": "#e0efed",
        "no": "#a84818",
        "no-soft": "#fbeae0",
        "unsure": "#7a6a1c",
        "unsure-soft": "#f6f0d6",
        "bar": "#b9bfc3",
        "shadow": "0 1px 2px rgba(30,34,36,.05)",
        "lift": "0 10px 34px rgba(30,34,36,.16), 0 2px 6px rgba(30,34,36,.08)",
        "scheme": "light",
    },
    "dark": {
        "page": "#12171a",
        "card": "#1b2124",
        "well": "#161c1f",
        "line": "#2c3438",
        "line-strong": "#414b50",
        "text": "#e9edee",
        "quiet": "#a0abb0",
        "faint": "#8c979c",
        "accent": "#43bdb7",
        "accent-text": "#06201f",
        "accent-soft": "#17393a",
        "no": "#ff9468",
        "no-soft": "#3d2820",
        "unsure": "#e4cf6a",
        "unsure-soft": "#38341d",
        "bar": "#4a555b",
        "shadow": "none",
        "lift": "0 12px 40px rgba(0,0,0,.55)",
        "scheme": "dark",
    },
}

UNNAMED: dict[Theme, str] = {"light": "#b3b8bc", "dark": "#566066"}
"""Colour of a window that belongs to no class yet."""

SCORE_RAMP: dict[Theme, tuple[str, ...]] = {
    "light": ("#dfe3e4", "#b9d5d8", "#7fb9bf", "#3d949b", "#0b6b69", "#063f45"),
    "dark": ("#2f393d", "#27555a", "#2b7d80", "#43a8a4", "#7fd4c6", "#e6fff2"),
}
"""Low to high, readable on the card's colour at both ends."""

HOUR_RAMP: tuple[str, ...] = (
    "#3b4a8c", "#4a5ba3", "#6a6fb4", "#9c7ab4", "#d08a93", "#eda56a", "#f0c05a", "#dcc85f",
    "#b6c566", "#8dbf73", "#69b587", "#54a89a", "#4f9fae", "#5496b8", "#6590bd", "#8b8fbd",
    "#b68bae", "#dd8a86", "#e0825f", "#bb6c63", "#8d5a74", "#66507f", "#4d4a86", "#40498b",
)  # fmt: skip
"""One colour per hour of the day: night blue, dawn rose, noon green, dusk orange, and round."""


def class_colour(style: int, theme: Theme) -> str:
    """Colour of the class with this style number.

    Examples
    --------
    >>> class_colour(0, "light")
    '#0072b2'
    """
    colours = CLASS_COLOURS[theme]
    return colours[style % len(colours)]


def class_shape(style: int) -> str:
    """Shape of the class; after eight classes the same colours come with other shapes.

    Examples
    --------
    >>> class_shape(0), class_shape(8)
    ('circle', 'square')
    """
    return SHAPES[(style + style // len(SHAPES)) % len(SHAPES)]


def theme_css() -> str:
    """CSS that sets every colour of both themes as variables on the host element."""
    blocks = []
    for theme, colours in THEMES.items():
        variables = {f"--{name}": value for name, value in colours.items() if name != "scheme"}
        variables |= {f"--class-{i}": c for i, c in enumerate(CLASS_COLOURS[theme])}
        body = "".join(f"{name}:{value};" for name, value in variables.items())
        blocks.append(f":host(.{theme}){{{body}color-scheme:{colours['scheme']};}}")
    return "\n".join(blocks)
