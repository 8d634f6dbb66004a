"""What the confirmation showed: the gain, the seeds, and each domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ecotone.report import tables
from ecotone.report.schema import Analysis, ConfirmRow
from ecotone.report.svg import Picture, Scale, hint, shortened, spread, tag, text, width_of, x_axis

TONES: dict[str, Literal["adapt", "keep", "unsure"]] = {
    "adapt": "adapt",
    "keep": "keep",
    "cannot tell": "unsure",
}
_WIDTH = 380.0
ORDER = ("natural", "uniform", "recommended")


def gain(analysis: Analysis) -> Picture | None:
    """Draw gain and interval against doing nothing; ``None`` without a verdict."""
    verdict = analysis.get("verdict")
    if not verdict or not tables.known(verdict.get("gain")):
        return None
    low, high = verdict["interval"]
    middle = float(verdict["gain"] or 0.0)
    ends = [v for v in (0.0, middle, low, high) if tables.known(v)]
    seeds = seed_gains(analysis)
    bottom, top = spread([*ends, *seeds], 0.12)
    scale, tone = Scale(bottom, top, 16.0, _WIDTH - 16), TONES[verdict["decision"]]
    zero = scale(0.0)
    parts = [
        x_axis(scale, 92, 42, "gain over natural, nats/token (right is better)"),
        _at("do nothing", zero, 33),
        tag("line", cls="mean", x1=zero, x2=zero, y1=38, y2=92),
    ]
    if tables.known(low) and tables.known(high):
        line = tag("line", cls=f"span {tone}-line", x1=scale(low), x2=scale(high), y1=62, y2=62)
        parts.append(line)
    for value in seeds:
        words = hint(f"one seed: {tables.loss_change(value)}")
        parts.append(tag("circle", words, cls="trial", cx=scale(value), cy=79, r=3.5))
    parts.append(tag("circle", cls=f"{tone}-fill", cx=scale(middle), cy=62, r=7))
    places = tables.decimals_for(low, high) if tables.known(low) and tables.known(high) else 3
    words = f"{tables.signed(middle, places)} ({tables.interval(low, high, places)})"
    parts.append(_at(words, scale(middle), 14, "b"))
    says = f"Gain {words} nats/token; 0 is the natural mixture."
    return Picture("gain", "Gain over doing nothing", says, _WIDTH, 134, "".join(parts))


def _at(words: str, x: float, y: float, cls: str = "s m") -> str:
    """Write centred on `x`, moved inward where it would be cut off."""
    half = width_of(words) / 2
    return text(min(max(x, half + 4), _WIDTH - 4 - half), y, words, cls, "middle")


def seed_gains(analysis: Analysis) -> list[float]:
    """Return natural minus recommended target loss, seed by seed."""
    rows = analysis.get("confirm", [])
    loss = {(r["mixture"], r["seed"]): r["target"] for r in rows if tables.known(r["target"])}
    return [
        loss["natural", seed] - value
        for (mixture, seed), value in loss.items()
        if mixture == "recommended" and ("natural", seed) in loss
    ]


def confirm_target(analysis: Analysis) -> Picture | None:
    """Draw the target loss of every training run of the confirmation."""
    return _strip(analysis, "target", f"{analysis.get('target', 'target')} loss")


def confirm_general(analysis: Analysis) -> Picture | None:
    """Draw the general loss of every training run of the confirmation."""
    return _strip(analysis, "general", "general loss")


def confirmed(analysis: Analysis, mixture: str, what: str) -> list[float]:
    """Return the losses of one mixture over the seeds."""
    rows: Sequence[ConfirmRow] = analysis.get("confirm", [])
    pairs = [(r["target"] if what == "target" else r["general"], r) for r in rows]
    return [v for v, r in pairs if r["mixture"] == mixture and tables.known(v)]


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; ``None`` of nothing."""
    return sum(values) / len(values) if values else None


def shown_mixtures(analysis: Analysis) -> list[str]:
    """Return the confirmed mixtures: the do-nothing one first, the recommended one last."""
    found = {r["mixture"] for r in analysis.get("confirm", [])}
    return (
        [m for m in ORDER[:2] if m in found]
        + sorted(found - set(ORDER))
        + [m for m in ORDER[2:] if m in found]
    )


def _strip(analysis: Analysis, what: str, words: str) -> Picture | None:
    runs = {m: confirmed(analysis, m, what) for m in shown_mixtures(analysis)}
    runs = {m: values for m, values in runs.items() if values}
    if not runs:
        return None
    left = min(max(width_of(m) for m in runs), 110.0) + 14
    low, high = spread([v for values in runs.values() for v in values], 0.1)
    scale, bottom = Scale(low, high, left, _WIDTH - 12), 38 + 34.0 * len(runs)
    parts = [
        text(12, 20, shortened(words[0].upper() + words[1:], _WIDTH - 30), "b"),
        x_axis(scale, bottom, 34, "nats/token (left is better)"),
    ]
    for i, (mixture, values) in enumerate(runs.items()):
        y = 55 + 34 * i
        best = mixture == "recommended"
        parts.append(
            text(left - 12, y + 4, shortened(mixture, left - 14), "b" if best else "", "end")
        )
        for value in values:
            told = hint(f"{mixture}: {tables.loss(value)}")
            parts.append(
                tag("circle", told, cls="dot" if best else "trial", cx=scale(value), cy=y, r=5)
            )
        x = scale(sum(values) / len(values))
        parts.append(tag("line", cls="mean", x1=x, x2=x, y1=y - 12, y2=y + 12))
    says = "; ".join(
        f"{m}: mean {tables.loss(sum(v) / len(v))} over {len(v)} runs" for m, v in runs.items()
    )
    name, title = f"confirm-{what}", f"Confirmed {words} by mixture"
    return Picture(name, title, says + ".", _WIDTH, bottom + 46, "".join(parts))


def domain_changes(analysis: Analysis) -> list[tuple[str, float, float, float]]:
    """Return (domain, natural, recommended, change), most improved first."""
    means = analysis.get("confirm_domains", {})
    before = means.get("natural", {})
    after = means.get("recommended", means.get("mixture", {}))
    rows = [
        (name, before[name], after[name], after[name] - before[name])
        for name in after
        if name in before and tables.known(before[name]) and tables.known(after[name])
    ]
    return sorted(rows, key=lambda r: (r[3], r[0]))


def changes(analysis: Analysis) -> Picture | None:
    """Draw how the loss on each domain differs from that of the natural mixture."""
    rows = domain_changes(analysis)
    if not rows:
        return None
    left = min(max(width_of(r[0]) for r in rows), 110.0) + 14
    low, high = spread([0.0, *(r[3] for r in rows)], 0.05)
    scale, bottom = Scale(low, high, left, _WIDTH - 62), 40 + 26.0 * len(rows)
    zero = scale(0.0)
    parts = [
        text(12, 20, "Change against natural", "b"),
        x_axis(scale, bottom, 34, "nats/token (left is better)"),
    ]
    for i, (name, before, after, change) in enumerate(rows):
        y, x = 44 + 26 * i, scale(change)
        bold = "b" if name == analysis.get("target") else ""
        told = hint(f"{name}: {tables.loss(before)} with natural, {tables.loss(after)} recommended")
        cls = "accent" if change <= 0 else "worse"
        bar = tag("rect", cls=cls, x=min(zero, x), y=y, width=abs(x - zero), height=14, rx=2)
        parts.append(text(left - 12, y + 11, shortened(name, left - 14), bold, "end"))
        parts.append(tag("g", told, bar))
        parts.append(text(_WIDTH - 8, y + 11, tables.loss_change(change), "s " + bold, "end"))
    parts.append(tag("line", cls="mean", x1=zero, x2=zero, y1=36, y2=bottom))
    says = ", ".join(f"{name} {tables.loss_change(change)}" for name, _, _, change in rows)
    title = "Change of the loss on each domain"
    return Picture("changes", title, says + " nats/token.", _WIDTH, bottom + 46, "".join(parts))
