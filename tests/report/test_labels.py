from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from ecotone.report.labels import Box, place

FRAME = Box(0, 0, 600, 600)
SPOT = st.tuples(st.integers(60, 540), st.integers(60, 540))


@settings(max_examples=60, deadline=None)
@given(st.lists(SPOT, min_size=1, max_size=9, unique=True), st.data())
def test_labels_cover_neither_each_other_nor_points(spots, data):
    size = {"min_size": len(spots), "max_size": len(spots)}
    widths = data.draw(st.lists(st.integers(10, 90), **size))
    boxes = [label.box for label in place(spots, widths, FRAME)]
    points = [Box(x - 6, y - 6, x + 6, y + 6) for x, y in spots]
    assert all(a.overlap(b) < 0.1 for a, b in combinations(boxes, 2))
    assert all(box.overlap(point) < 0.1 for box in boxes for point in points)
    assert all(box.outside(FRAME) == 0 for box in boxes)


def test_a_lone_label_stands_at_the_right_of_its_point():
    (label,) = place([(100, 100)], [40], FRAME)
    assert label.box.left > 106
    assert label.box.top < 100 < label.box.bottom
    assert not label.far


def test_at_the_edge_a_label_turns_inward():
    (label,) = place([(590, 300)], [80], FRAME)
    assert label.box.right < 590


def test_what_is_soft_is_avoided_but_not_at_any_price():
    right = Box(105, 92, 160, 108)
    (label,) = place([(100, 100)], [40], FRAME, soft=[right])
    assert label.box.overlap(right) == 0
    assert not label.far
    everywhere = Box(0, 0, 600, 600)
    (label,) = place([(100, 100)], [40], FRAME, soft=[everywhere])
    assert not label.far


def test_coinciding_points_get_labels_in_different_places():
    labels = place([(300, 300)] * 3, [60] * 3, FRAME)
    assert all(a.box.overlap(b.box) == 0 for a, b in combinations(labels, 2))
