from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from patchcore_plugin.report.charts import Series, histogram, nice_ticks, roc_chart


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_inside_and_evenly_spaced(low, width):
    ticks = nice_ticks(low, low + width)
    assert 2 <= len(ticks) <= 12
    assert low - width * 1e-6 <= ticks[0] <= ticks[-1] <= low + width * (1 + 1e-6)
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0], rtol=1e-3)


@given(
    good=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50),
    bad=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50),
    threshold=st.none() | st.floats(-1e3, 1e3),
)
def test_every_score_is_in_a_bar_and_the_drawing_is_well_formed(good, bad, threshold):
    svg = histogram([Series("good", "good", np.array(good)), Series("defective", "bad", np.array(bad))], threshold)
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    counted = {"bar good": 0, "bar bad": 0}
    for rect in root.iter("rect"):
        if rect.get("class") in counted:
            counted[rect.get("class")] += int(rect.find("title").text.rsplit(": ", 1)[1])
    assert counted == {"bar good": len(good), "bar bad": len(bad)}
    assert (root.find("line[@class='threshold']") is not None) == (threshold is not None)


def test_bad_bars_are_hatched_so_that_colour_is_not_needed():
    svg = histogram([Series("defective", "bad", np.array([1.0, 2.0]))], None)
    assert svg.count('class="hatch"') == svg.count('class="bar bad"') == 2


def test_the_roc_line_keeps_its_corners_and_drops_the_rest():
    steps = np.linspace(0, 1, 1001)
    svg = roc_chart(np.r_[np.zeros(1001), steps], np.r_[steps, np.ones(1001)], (0.0, 1.0), 1.0)
    line = re.search(r'roc-line" points="([^"]*)"', svg).group(1).split()
    assert len(line) <= 4
    assert line[0] == "60.0,340.0"
    assert line[-1] == "378.0,16.0"
    ET.fromstring(svg)  # noqa: S314 - our own text
