"""The first screen: the decision as a sentence, and the numbers behind it."""

from __future__ import annotations

import math

from ecotone.report import distances, effects, tables
from ecotone.report.blocks import Block, Findings, Headline, Row, Table, Tone, drawing
from ecotone.report.phrases import called, capital, counted, middle, target_loss, unit_of
from ecotone.report.schema import Analysis, FindingFacts, VerdictFacts, mixtures

_TONES: dict[str, Tone] = {"natural": "natural", "mixture": "best"}


def headline(analysis: Analysis) -> Headline:
    """Say what to do, in the order a busy person reads."""
    verdict = analysis.get("verdict")
    if verdict:
        return _after_confirmation(analysis, verdict)
    if "mixture" in analysis:
        return _before_confirmation(analysis)
    return _without_mixture(analysis)


def _after_confirmation(analysis: Analysis, verdict: VerdictFacts) -> Headline:
    decision = verdict["decision"]
    lead = {
        "adapt": "Adapt: train on this mixture.",
        "keep": "Keep the natural mixture.",
        "cannot tell": "Cannot tell: the evidence does not decide between the mixtures.",
    }[decision]
    evidence = [_gain(analysis, verdict), _general(analysis), _shares(analysis)]
    return Headline(
        effects.TONES[decision],
        "Confirmed by training" if analysis.get("confirm") else "Verdict",
        lead,
        tuple(e for e in evidence if e),
        _blocks(analysis),
    )


def _before_confirmation(analysis: Analysis) -> Headline:
    advice = analysis.get("advice", {})
    decision = advice.get("decision")
    lead = {
        "adapt": "Adapt, by prediction: train on this mixture.",
        "keep": "Keep the natural mixture, by prediction.",
        "cannot tell": "Cannot tell: the prediction does not decide between the mixtures.",
        None: "A mixture that nobody has judged yet.",
    }[decision]
    evidence = [
        _predicted_gain(analysis),
        advice.get("sentence", ""),
        _general(analysis),
        _shares(analysis),
        "No model was trained on this mixture to confirm it: run the command again with --confirm.",
    ]
    return Headline(
        effects.TONES[decision] if decision else "note",
        "Predicted, not confirmed" if decision else "Not judged",
        lead,
        tuple(e for e in evidence if e),
        _blocks(analysis),
    )


def _gain(analysis: Analysis, verdict: VerdictFacts) -> str:
    """Say how much better it is than doing nothing, with the interval."""
    value, (low, high) = verdict.get("gain"), verdict["interval"]
    if value is None or not tables.known(value):
        return "The gain over the natural mixture is not a number."
    unit = unit_of(verdict.get("metric", "loss, nats per token"))
    narrow = tables.known(low) and tables.known(high)
    places = tables.decimals_for(low, high) if narrow else 3
    size, word = tables.fixed(abs(value), places), "lower" if value >= 0 else "higher"
    seeds = {r["seed"] for r in analysis.get("confirm", []) if r["mixture"] == "recommended"}
    span = (low, high) if value >= 0 else (-high, -low)
    inside = []
    if narrow:
        covered = tables.level(verdict.get("level", 0.95))
        inside.append(f"{covered} interval {tables.interval(*span, places)}")
    if seeds:
        inside.append(counted(len(seeds), "seed"))
    amount = " ".join(part for part in (size, unit, word) if part)
    sentence = f"{capital(target_loss(analysis))} is {amount} than with the natural mixture"
    sentence += f" ({', '.join(inside)})." if inside else "."
    if verdict["decision"] == "cannot tell" and narrow and low <= 0 <= high:
        sentence += " Zero lies inside the interval."
    return sentence + (_perplexity(value) if unit == "nats/token" else "")


def _perplexity(value: float) -> str:
    change = math.expm1(-value)
    if abs(change) < 0.005:
        return ""
    word = "falls" if change < 0 else "rises"
    return f" Perplexity {word} by {tables.tolerance(round(abs(change), 2))}."


def _predicted_gain(analysis: Analysis) -> str:
    predicted = analysis.get("predicted", {})
    ours, natural = (middle(predicted.get(k, {}), "target") for k in ("mixture", "natural"))
    if ours is None or natural is None:
        return ""
    word = "lower" if ours <= natural else "higher"
    return (
        f"Predicted {target_loss(analysis)} is {tables.loss(abs(natural - ours))} nats/token "
        f"{word} than with the natural mixture "
        f"({tables.loss(ours)} against {tables.loss(natural)})."
    )


def _general(analysis: Analysis) -> str:
    """Say what happens to the general loss, and whether that was allowed."""
    ours, natural = (
        effects.mean(effects.confirmed(analysis, m, "general")) for m in ("recommended", "natural")
    )
    verbs = ("falls", "rises")
    if ours is None or natural is None:
        predicted = analysis.get("predicted", {})
        ours, natural = (middle(predicted.get(k, {}), "general") for k in ("mixture", "natural"))
        verbs = ("is predicted to fall", "is predicted to rise")
    if ours is None or not natural:
        return ""
    budget = analysis.get("budget", {})
    change = ours / natural - 1
    what = f" ({budget['general']})" if budget.get("general") else ""
    sentence = f"General loss{what} {verbs[change > 0]} by {tables.share(abs(change))}"
    allowed = budget.get("tolerance")
    if allowed is None or change <= 0:
        return sentence + "."
    # the mixture often lies on the limit: what is not seen in the digits shown is not a breach
    if round(change, 3) <= allowed + 1e-9:
        return f"{sentence}; up to {tables.tolerance(allowed)} was allowed."
    return f"{sentence}, more than the {tables.tolerance(allowed)} that was allowed."


def _shares(analysis: Analysis) -> str:
    names = mixtures(analysis)
    parts = [f"{n} {tables.share(analysis['mixture'][n])}" for n in names[:4]]
    rest = sum(analysis["mixture"][n] for n in names[4:])
    if names[4:]:
        parts.append(f"{counted(len(names) - 4, 'other domain')} {tables.share(rest)}")
    return f"The mixture: {', '.join(parts)}." if parts else ""


def _blocks(analysis: Analysis) -> tuple[Block, ...]:
    table, found = _summary(analysis), findings(analysis)
    blocks: list[Block] = [*drawing(effects.gain(analysis))]
    if table is not None:
        blocks.append(table)
    return (*blocks, Findings(tuple(found))) if found else tuple(blocks)


def findings(analysis: Analysis) -> list[FindingFacts]:
    """Return the findings of verdict and analysis, each once."""
    verdict = analysis.get("verdict") or {}
    every = [*verdict.get("findings", []), *analysis.get("findings", [])]
    return [f for i, f in enumerate(every) if f not in every[:i]]


def _summary(analysis: Analysis) -> Table | None:
    """Return one row a mixture, the do-nothing one first."""
    by_runs = bool(analysis.get("confirm"))
    keys = [k for k in ("natural", "uniform", "mixture") if _pair(analysis, k, by_runs)]
    if "natural" not in keys or len(keys) < 2:
        return None
    base = _pair(analysis, "natural", by_runs)
    rows = []
    for key in keys:
        pair = _pair(analysis, key, by_runs)
        cells = [called(key)]
        for value, zero in zip(pair, base, strict=True):
            cells += [
                tables.loss(value),
                "0" if key == "natural" else tables.loss_change(value - zero),
            ]
        rows.append(Row(tuple(cells), _TONES.get(key, "")))
    how = "measured, mean over seeds" if by_runs else "predicted"
    name = target_loss(analysis)
    columns = ("mixture", name, "change", "general loss", "change")
    return Table(f"Losses in nats/token, {how}; lower is better", columns, tuple(rows))


def _pair(analysis: Analysis, key: str, by_runs: bool) -> tuple[float, ...]:
    """Return target and general loss of a mixture; empty when one is unknown."""
    if by_runs:
        name = "recommended" if key == "mixture" else key
        values = [effects.mean(effects.confirmed(analysis, name, w)) for w in ("target", "general")]
    else:
        prediction = analysis.get("predicted", {}).get(key, {})
        values = [middle(prediction, w) for w in ("target", "general")]
    return tuple(v for v in values if v is not None) if None not in values else ()


def _without_mixture(analysis: Analysis) -> Headline:
    """Say what the distances show; without distances, what was read."""
    shift, target = analysis.get("shift"), analysis.get("target")
    evidence: list[str] = []
    known = [d["tokens"] for d in analysis["domains"] if d.get("tokens")]
    lead = f"{counted(len(analysis['domains']), 'domain')}"
    lead += f", {tables.tokens_short(sum(known))} tokens." if known else "."
    badge = "Data"
    if shift and shift.get("matrix"):
        badge, lead = "Distances", _nearest(analysis) or lead
        evidence.append(f"Measure: {shift.get('measure', 'not named')}. Larger is farther apart.")
        evidence.append(_chance(analysis))
        if target is None:
            evidence.append("No domain is marked as target.")
    elif shift is None:
        evidence.append("Nothing was computed on these domains yet.")
    found = findings(analysis)
    blocks = (Findings(tuple(found)),) if found else ()
    return Headline("note", badge, lead, tuple(e for e in evidence if e), blocks)


def _nearest(analysis: Analysis) -> str:
    shift, target = analysis["shift"], analysis.get("target")
    names, rows = shift["names"], distances.order(analysis)
    if target not in names or len(names) < 2:
        return ""
    t, near, far = rows[0], rows[1], rows[-1]

    def told(i: int) -> str:
        return f"{names[i]} ({tables.fixed(distances.entry(shift, 'matrix', t, i), 2)})"

    if near == far:
        return f"{capital(told(near))} beside {target}."
    return f"Nearest to {target} is {told(near)}; farthest is {told(far)}."


def _chance(analysis: Analysis) -> str:
    shift = analysis["shift"]
    n = len(shift["names"])
    pairs = [(i, j) for i in range(n) for j in range(i)]
    if not shift.get("null_high") or not pairs:
        return ""
    alike = sum(distances.is_chance(shift, i, j) for i, j in pairs)
    if alike == 0:
        return f"Each of the {counted(len(pairs), 'pair')} differs by more than chance."
    return f"{alike} of {counted(len(pairs), 'pair')} differ by no more than chance."
