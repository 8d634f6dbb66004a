"""Predicted against measured losses of held-out trials."""

from __future__ import annotations

from ecotone.report import tables
from ecotone.report.phrases import capital
from ecotone.report.schema import Analysis, Check
from ecotone.report.svg import (
    Picture,
    Scale,
    hint,
    shortened,
    spread,
    tag,
    text,
    x_axis,
    y_axis,
)

WIDTH, HEIGHT = 380.0, 376.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 366.0, 54.0, 330.0


def fit_target(analysis: Analysis) -> Picture | None:
    """Draw predicted against measured target loss of held-out trials."""
    name = analysis.get("target", "target")
    return _fit(analysis.get("cv", {}).get("target"), "fit-target", f"{name} loss")


def fit_general(analysis: Analysis) -> Picture | None:
    """Draw predicted against measured general loss of held-out trials."""
    return _fit(analysis.get("cv", {}).get("general"), "fit-general", "general loss")


def ranks(check: Check) -> str:
    """Say how well the order was predicted."""
    parts = [f"rank correlation {tables.correlation(check.get('spearman'))}"]
    parts.append(f"n = {check.get('n', len(check['measured']))}")
    if check.get("p") is not None:
        parts.append(tables.p_value(check["p"]))
    return ", ".join(parts)


def _fit(check: Check | None, name: str, what: str) -> Picture | None:
    if not check or not check.get("measured"):
        return None
    pairs = zip(check["measured"], check["predicted"], strict=True)
    drawn = [i for i, pair in enumerate(pairs) if all(map(tables.known, pair))]
    if not drawn:
        return None
    core = spread([check[k][i] for k in ("measured", "predicted") for i in drawn], 0.1)
    xs, ys = Scale(*core, _LEFT, _RIGHT), Scale(*core, _BOTTOM, _TOP)
    parts = [
        text(12, 18, shortened(capital(what), 350), "b"),
        text(12, 37, ranks(check), "s m"),
        x_axis(xs, _BOTTOM, _TOP, "measured, nats/token"),
        y_axis(ys, _LEFT, _RIGHT),
        _upright("predicted, nats/token"),
        tag("line", cls="ideal", x1=_LEFT, y1=_BOTTOM, x2=_RIGHT, y2=_TOP),
    ]
    parts += [_whisker(check, i, xs, ys) for i in drawn]
    parts += [_trial(check, i, xs, ys) for i in drawn]
    says = f"{len(drawn)} trained mixtures, each predicted unseen; {ranks(check)}."
    title = f"Predicted against measured {what}"
    return Picture(name, title, says, WIDTH, HEIGHT, "".join(parts))


def _upright(words: str) -> str:
    middle = (_TOP + _BOTTOM) / 2
    turn = f"rotate(-90 12 {middle:g})"
    return tag("text", words, cls="s m", x=12, y=middle, text_anchor="middle", transform=turn)


def _whisker(check: Check, i: int, xs: Scale, ys: Scale) -> str:
    low, high = check.get("low"), check.get("high")
    if not low or not high or not (tables.known(low[i]) and tables.known(high[i])):
        return ""
    x = xs(check["measured"][i])
    ends = (ys(min(max(v, ys.low), ys.high)) for v in (low[i], high[i]))
    first, last = ends
    return tag("line", cls="whisker", x1=x, x2=x, y1=first, y2=last)


def _trial(check: Check, i: int, xs: Scale, ys: Scale) -> str:
    measured, predicted = check["measured"][i], check["predicted"][i]
    labels = check.get("labels") or []
    label = f"{labels[i]}: " if i < len(labels) else ""
    words = f"{label}measured {tables.loss(measured)}, predicted {tables.loss(predicted)}"
    return tag("circle", hint(words), cls="dot", cx=xs(measured), cy=ys(predicted), r=4)
