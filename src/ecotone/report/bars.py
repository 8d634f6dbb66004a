"""The mixture as paired bars: natural above, recommended below, with caps."""

from __future__ import annotations

from ecotone.report import tables
from ecotone.report.schema import Analysis, cap_of, cap_share, epochs_at, mixtures
from ecotone.report.svg import Picture, Scale, hint, shortened, tag, text, width_of

WIDE, NARROW = 640.0, 370.0
_ROW, _TOP, _SHARE, _EPOCHS = 46.0, 62.0, 62.0, 66.0  # heights and column widths, pixels
_SERIES = (("natural", "plain", "natural (do nothing)"), ("mixture", "accent", "recommended"))


def mixture(analysis: Analysis) -> Picture | None:
    """Draw shares of the training tokens by domain; ``None`` without a mixture."""
    return _drawn(analysis, "mixture", WIDE)


def mixture_narrow(analysis: Analysis) -> Picture | None:
    """Draw the same for a small screen."""
    return _drawn(analysis, "mixture-narrow", NARROW)


def _drawn(analysis: Analysis, name: str, width: float) -> Picture | None:
    names = mixtures(analysis)
    if not names:
        return None
    left = min(max(width_of(n) for n in names), width / 4) + 12
    scale = Scale(0.0, _longest(analysis, names), left, width - _SHARE - _EPOCHS)
    height = _TOP + _ROW * len(names) + 42
    parts = [_legend(analysis, 4 if width == NARROW else left, width), _axis(scale, height - 38)]
    for i, domain in enumerate(names):
        parts.append(_domain(analysis, domain, _TOP + i * _ROW, scale))
    title = "Share of the training tokens by domain"
    return Picture(name, title, _says(analysis, names), width, height, "".join(parts))


def epochs_of(analysis: Analysis, key: str, name: str, part: float) -> float | None:
    """Return the epochs that were written down, or what share and budget imply."""
    written = (analysis.get("epochs", {}), analysis.get("natural_epochs", {}))
    given = written[key != "mixture"]
    return given[name] if name in given else epochs_at(analysis, name, part)


def cap_word(analysis: Analysis, name: str, epochs: float | None) -> str:
    """Return ``cap`` for a domain read as often as its cap allows, to one percent."""
    cap = cap_of(analysis, name)
    if cap is None or epochs is None or epochs < 0.99 * cap:
        return ""
    return "cap" if epochs <= 1.01 * cap else "> cap"


def _shares(analysis: Analysis, key: str) -> dict[str, float]:
    return analysis.get("mixture", {}) if key == "mixture" else analysis.get("natural", {})


def _longest(analysis: Analysis, names: list[str]) -> float:
    """Return the end of the axis; caps a little beyond the longest bar are still shown."""
    shares = [_shares(analysis, key).get(n, 0.0) for key, _, _ in _SERIES for n in names]
    longest = max(shares)
    caps = (cap_share(analysis, n) for n in names)
    near = [c for c in caps if c is not None and c <= 1.3 * longest]
    return max([longest, *near]) * 1.03 or 1.0


def _legend(analysis: Analysis, left: float, width: float) -> str:
    parts, x = [], left
    for key, cls, words in _SERIES:
        if key in analysis:
            parts.append(tag("rect", cls=cls, x=x, y=10, width=12, height=12, rx=2))
            parts.append(text(x + 18, 21, words, "s"))
            x += 32 + width_of(words, 12) * 0.9
    if any(cap_share(analysis, n) is not None for n in analysis["mixture"]):
        parts.append(tag("line", cls="limit", x1=x + 3, x2=x + 3, y1=8, y2=24))
        parts.append(text(x + 12, 21, "cap on epochs", "s"))
    parts.append(text(width - _EPOCHS - 6, _TOP - 12, "share", "s m", "end"))
    parts.append(text(width - 8, _TOP - 12, "epochs", "s m", "end"))
    return "".join(parts)


def _axis(scale: Scale, y: float) -> str:
    parts = []
    for value in scale.ticks:
        x = scale(value)
        parts.append(tag("line", cls="grid", x1=x, x2=x, y1=_TOP - 4, y2=y))
        parts.append(text(x, y + 16, tables.tolerance(value), "s m", "middle"))
    words = "share of training tokens"
    parts.append(text((scale.start + scale.end) / 2, y + 33, words, "s m", "middle"))
    return "".join(parts)


def _domain(analysis: Analysis, name: str, y: float, scale: Scale) -> str:
    label = shortened(name, scale.start - 12)
    bold = "b" if name == analysis.get("target") else ""
    parts = [tag("g", hint(name), text(scale.start - 10, y + 22, label, bold, "end"))]
    for i, (key, cls, words) in enumerate(_SERIES):
        if key in analysis:
            parts.append(_bar(analysis, name, (key, cls, words), y + 4 + i * 17, scale))
    limit = cap_share(analysis, name)
    if limit is not None and limit <= scale.high:
        words = f"{name}: {tables.epochs(cap_of(analysis, name))} epochs at {tables.share(limit)}"
        x = scale(limit)
        line = tag("line", cls="limit", x1=x, x2=x, y1=y + 1, y2=y + 39)
        parts.append(tag("g", hint(words), line))
    return "".join(parts)


def _bar(
    analysis: Analysis, name: str, series: tuple[str, str, str], y: float, scale: Scale
) -> str:
    key, cls, words = series
    part = _shares(analysis, key).get(name, 0.0)
    epochs = epochs_of(analysis, key, name, part)
    word = cap_word(analysis, name, epochs)
    full = {"": "", "cap": " (cap)"}.get(word, f" {word}") if key == "mixture" else ""
    tone = "s b" if key == "mixture" else "s m"
    bar = tag("rect", cls=cls, x=scale.start, y=y, width=scale(part) - scale.start, height=14, rx=2)
    says = f"{name}, {words}: {tables.share(part)}, {tables.epochs(epochs)} epochs"
    return tag(
        "g",
        hint(says),
        bar,
        text(scale.end + _SHARE - 6, y + 11, tables.share(part), tone, "end"),
        text(scale.end + _SHARE + _EPOCHS - 8, y + 11, tables.epochs(epochs) + full, tone, "end"),
    )


def _says(analysis: Analysis, names: list[str]) -> str:
    natural = analysis.get("natural", {})
    parts = []
    for name in names:
        before = f" (natural {tables.share(natural[name])})" if name in natural else ""
        parts.append(f"{name} {tables.share(analysis['mixture'][name])}{before}")
    return "Recommended shares: " + ", ".join(parts) + "."
