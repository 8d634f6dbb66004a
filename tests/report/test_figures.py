from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecotone.core.errors import BadInput
from ecotone.report import FIGURES, picture
from ecotone.report.svg import width_of

SVG = "{http://www.w3.org/2000/svg}"
EACH = pytest.mark.parametrize("which", FIGURES)


def drawn(analysis, which):
    return ET.fromstring(picture(analysis, which).encode())


def shapes(root, kind, cls):
    found = (e for e in root.iter(f"{SVG}{kind}"))
    return [e for e in found if cls in e.get("class", "").split()]


def told(root, kind, cls):
    """Return hint -> element of a kind and class."""
    pairs = [
        (g.find(f"{SVG}title"), e)
        for g in root.iter(f"{SVG}g")
        for e in g
        if e.tag == f"{SVG}{kind}"
    ]
    return {t.text: e for t, e in pairs if t is not None and cls in e.get("class", "").split()}


@EACH
def test_is_well_formed_and_described(analysis, which):
    root = drawn(analysis, which)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    assert set(root.get("aria-labelledby").split()) <= ids
    assert len(root.find(f"{SVG}title").text) > 5
    assert len(root.find(f"{SVG}desc").text) > 20


@EACH
def test_survives_hostile_names(hostile, which):
    changed, _ = hostile
    root = drawn(changed, which)
    assert not list(root.iter(f"{SVG}script"))


@EACH
def test_same_input_same_bytes(analysis, which):
    assert picture(analysis, which) == picture(analysis, which)


@EACH
def test_every_text_lies_inside(analysis, which):
    root = drawn(analysis, which)
    wide, high = (float(v) for v in root.get("viewBox").split()[2:])
    for text in root.iter(f"{SVG}text"):
        if text.get("transform"):
            continue
        x, y = float(text.get("x")), float(text.get("y"))
        # the estimate of width is generous, real glyphs are narrower
        width = 0.88 * width_of(text.text or "")
        left = x - width * {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor"), 0.0)
        assert left >= -2, text.text
        assert left + width <= wide + 2, text.text
        assert 8 <= y <= high, text.text


@EACH
def test_says_what_it_lacks(which):
    with pytest.raises(BadInput, match="lacks what the figure"):
        picture({"title": "t", "domains": [{"name": "a"}]}, which)


def test_an_unknown_figure_lists_the_known_ones(analysis):
    with pytest.raises(BadInput) as error:
        picture(analysis, "pie")
    assert "shift_map" in error.value.cure


def test_bars_are_as_long_as_shares(analysis):
    root = drawn(analysis, "mixture")
    for key, cls in (("natural", "plain"), ("mixture", "accent")):
        bars = told(root, "rect", cls)
        lengths = {hint.split(",")[0]: float(e.get("width")) for hint, e in bars.items()}
        assert lengths.keys() == analysis[key].keys()
        ratio = [lengths[n] / analysis[key][n] for n in lengths]
        np.testing.assert_allclose(ratio, ratio[0], rtol=2e-3)


def test_cap_marks_stand_at_the_share_the_cap_allows(analysis):
    root = drawn(analysis, "mixture")
    clinical = next(v for k, v in told(root, "rect", "accent").items() if k.startswith("clinical"))
    mark = next(v for k, v in told(root, "line", "limit").items() if k.startswith("clinical"))
    # 4 epochs of 0.9 M tokens in 12 M are 30 %, which is what clinical gets
    end = float(clinical.get("x")) + float(clinical.get("width"))
    assert float(mark.get("x1")) == pytest.approx(end, abs=0.1)


def test_a_domain_over_its_cap_is_called_so(analysis):
    analysis["epochs"]["clinical"] = 9.0
    assert "9.0 &gt; cap" in picture(analysis, "mixture")


def test_predictions_lie_where_they_should(analysis):
    check = analysis["cv"]["target"]
    dots = shapes(drawn(analysis, "fit_target"), "circle", "dot")
    x, y = (np.array([float(e.get(k)) for e in dots]) for k in ("cx", "cy"))
    for pixels, values in ((x, check["measured"]), (y, check["predicted"])):
        slope, start = np.polyfit(values, pixels, 1)
        np.testing.assert_allclose(pixels, slope * np.array(values) + start, atol=0.02)
    # right is larger, up is larger
    assert np.corrcoef(x, check["measured"])[0, 1] > 0.999
    assert np.corrcoef(y, check["predicted"])[0, 1] < -0.999
    assert len(shapes(drawn(analysis, "fit_target"), "line", "whisker")) == check["n"]


def test_an_unfinished_trial_is_not_drawn(analysis):
    analysis["cv"]["target"]["measured"][3] = None
    assert len(shapes(drawn(analysis, "fit_target"), "circle", "dot")) == 47


def test_the_ring_starts_at_the_tolerance_of_the_budget(analysis):
    root = drawn(analysis, "frontier")
    line = shapes(root, "polyline", "front")[0].get("points").split()
    ring = next(e for e in root.iter() if e.get("id") == "frontier-here")
    chosen = next(i for i, p in enumerate(analysis["frontier"]) if p["tolerance"] == 0.03)
    assert f"{ring.get('cx')},{ring.get('cy')}" == line[chosen]


def test_a_point_of_the_frontier_without_shares_is_left_out(analysis):
    analysis["frontier"][0]["weights"]["code"] = None
    line = shapes(drawn(analysis, "frontier"), "polyline", "front")[0]
    assert len(line.get("points").split()) == 20


def test_changes_are_blue_when_better_and_orange_when_worse(analysis):
    root = drawn(analysis, "changes")
    better = {hint.split(":")[0] for hint in told(root, "rect", "accent")}
    worse = {hint.split(":")[0] for hint in told(root, "rect", "worse")}
    assert better == {"clinical", "diagnoses"}
    assert worse == {"code", "licences", "newsgroups", "reviews"}


def test_the_map_keeps_ratios_of_distances(analysis):
    root = drawn(analysis, "shift_map")
    spots = {
        e.find(f"{SVG}title").text: (float(e.get("cx")), float(e.get("cy")))
        for e in root.iter(f"{SVG}circle")
    }
    shift = analysis["shift"]
    pixels = np.array([spots[n] for n in shift["names"]])
    true = np.linalg.norm(
        np.subtract.outer(np.array(shift["map"]), 0.0)[:, None] - shift["map"], axis=-1
    )
    shown = np.linalg.norm(pixels[:, None] - pixels[None], axis=-1)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(shown[off] / true[off], (shown[off] / true[off])[0], rtol=0.01)


def test_chance_is_marked_only_where_it_is(analysis):
    assert not shapes(drawn(analysis, "shift_matrix"), "rect", "chance")
    analysis["shift"]["null_high"] = np.full((6, 6), 0.2).tolist()
    # clinical and diagnoses are 0.19 apart: two cells, and one in the key
    assert len(shapes(drawn(analysis, "shift_matrix"), "rect", "chance")) == 3


def test_one_domain_in_one_place_can_be_drawn():
    shift = {"names": ["a", "b"], "matrix": [[0, 0], [0, 0]], "map": [[1, 1], [1, 1]]}
    facts = {"title": "t", "domains": [{"name": "a"}, {"name": "b"}], "shift": shift}
    for which in ("shift_matrix", "shift_map"):
        assert "nan" not in picture(facts, which).lower()


def test_gain_shows_its_interval(analysis):
    root = drawn(analysis, "gain")
    span = shapes(root, "line", "span")[0]
    zero = float(shapes(root, "line", "mean")[0].get("x1"))
    dot = float(shapes(root, "circle", "adapt-fill")[0].get("cx"))
    left, right = float(span.get("x1")), float(span.get("x2"))
    low, high = analysis["verdict"]["interval"]
    gain = analysis["verdict"]["gain"]
    assert (left - zero) / (dot - zero) == pytest.approx(low / gain, rel=1e-3)
    assert (right - zero) / (dot - zero) == pytest.approx(high / gain, rel=1e-3)
