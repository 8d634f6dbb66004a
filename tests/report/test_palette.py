from __future__ import annotations

from itertools import pairwise

import pytest

from ecotone.report.palette import DARK, HEAT_STEPS, LIGHT, variables, without_variables

BOTH = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    bright, dim = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@BOTH
def test_text_can_be_read(colours):
    for text in ("ink", "muted", "accent", "limit"):
        for ground in ("surface", "ground"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for badge in ("adapt", "keep", "unsure", "accent"):
        assert contrast(colours["on-badge"], colours[badge]) >= 4.5, badge


@BOTH
def test_numbers_on_the_heat_map_can_be_read(colours):
    for step in range(HEAT_STEPS):
        text = colours["on-deep" if step >= 4 else "on-pale"]
        assert contrast(text, colours[f"heat-{step}"]) >= 4.5, step


@BOTH
def test_heat_changes_brightness_in_one_direction(colours):
    steps = [luminance(colours[f"heat-{i}"]) for i in range(HEAT_STEPS)]
    rising = [a < b for a, b in pairwise(steps)]
    assert len(set(rising)) == 1


@BOTH
def test_shapes_stand_out(colours):
    for shape in ("accent", "limit", "adapt", "keep", "unsure"):
        assert contrast(colours[shape], colours["surface"]) >= 3, shape
    assert contrast(colours["plain"], colours["surface"]) >= 2.4
    # bars of the two mixtures differ in brightness, not in hue alone
    assert contrast(colours["plain"], colours["accent"]) >= 1.7


def test_both_sets_name_the_same_colours():
    assert LIGHT.keys() == DARK.keys()


def test_standalone_rules_hold_no_variable():
    rules = without_variables(".a{fill:var(--ink)}")
    assert "var(" not in rules
    assert LIGHT["ink"] in rules.split("@media")[0]
    assert DARK["ink"] in rules.split("@media")[1]
    assert f"--ink:{LIGHT['ink']}" in variables()
