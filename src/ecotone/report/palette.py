"""Colours: one set for light and one for dark, used by the page and by standalone pictures.

Blue against grey, with orange for limits: told apart under the three common kinds of colour
blindness. Text against its ground has a contrast of at least 4.5 (tested).
"""

from __future__ import annotations

import re

LIGHT = {
    "ground": "#f6f6f3",
    "surface": "#ffffff",
    "ink": "#1b2026",
    "muted": "#59626d",
    "line": "#dcdfe3",
    "accent": "#0b5fa5",
    "soft": "#d5e6f5",
    "plain": "#98a1ab",
    "limit": "#b34700",
    "adapt": "#00664c",
    "keep": "#4a5563",
    "unsure": "#855600",
    "on-badge": "#ffffff",
    "heat-0": "#f1f5f9",
    "heat-1": "#d3e3f2",
    "heat-2": "#a6cae8",
    "heat-3": "#6ea9d8",
    "heat-4": "#2f74b0",
    "heat-5": "#0d5596",
    "heat-6": "#083766",
    "on-pale": "#1b2026",
    "on-deep": "#ffffff",
}
DARK = {
    "ground": "#121519",
    "surface": "#1a1e23",
    "ink": "#e6e9ed",
    "muted": "#a2abb5",
    "line": "#343b43",
    "accent": "#66b3f2",
    "soft": "#1f3a52",
    "plain": "#747f8a",
    "limit": "#f29a5c",
    "adapt": "#3fc59f",
    "keep": "#aeb8c3",
    "unsure": "#e9b44c",
    "on-badge": "#0e1216",
    "heat-0": "#20262d",
    "heat-1": "#1f3448",
    "heat-2": "#224a6d",
    "heat-3": "#286194",
    "heat-4": "#63a6dc",
    "heat-5": "#98c8ef",
    "heat-6": "#d3e8fa",
    "on-pale": "#f2f5f8",
    "on-deep": "#0e1216",
}
HEAT_STEPS = 7
DARK_QUERY = "@media screen and (prefers-color-scheme: dark)"


def variables() -> str:
    """Return the colours as CSS variables; print always uses the light ones."""
    light, dark = (
        ";".join(f"--{name}:{value}" for name, value in sorted(colours.items()))
        for colours in (LIGHT, DARK)
    )
    return f":root{{{light}}}\n{DARK_QUERY}{{:root{{{dark}}}}}\n"


def without_variables(rules: str) -> str:
    """Write CSS rules twice, for light and dark, with the colours put in.

    Programs that draw an SVG outside a browser seldom know CSS variables.
    """
    return f"{_painted(rules, LIGHT)}\n{DARK_QUERY}{{\n{_painted(rules, DARK)}\n}}"


def _painted(rules: str, colours: dict[str, str]) -> str:
    return re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], rules)
