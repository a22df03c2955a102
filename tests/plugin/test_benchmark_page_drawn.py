"""The benchmark's page as headless Chromium draws it.

Where no Chromium is installed there is nothing to draw with, and this file defines no tests of drawing; what the page
says is tested without a browser in ``test_benchmark_page.py``.
"""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from made_up_records import record, seen

from patchcore_plugin.benchmark.page import About, render_page
from patchcore_plugin.benchmark.summary import Summary

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
POLICY = "default-src 'none'"
# The page runs no script of its own, and forbids any: this one is let in to look at what was drawn.
LOOK = """<script>
  let refused = 0
  document.addEventListener('securitypolicyviolation', () => refused++)
  addEventListener('load', () => {
    const size = one => one.getBoundingClientRect()
    document.title = JSON.stringify({
      refused, wide: document.documentElement.scrollWidth, window: innerWidth,
      bars: [...document.querySelectorAll('.share b')].map(one => size(one).width / size(one.parentElement).width),
      charts: [...document.querySelectorAll('svg.chart')].filter(one => one.checkVisibility()).length,
      hidden: [...document.querySelectorAll('article')].filter(one => !one.checkVisibility()).length,
      outside: [...document.querySelectorAll('svg text')].filter(one => {
        const chart = size(one.ownerSVGElement)
        return chart.width && (size(one).right > chart.right + 1 || size(one).left < chart.left - 1)
      }).length,
    })
  })
</script>"""


def drawn(text, folder, width):
    """What the page looks like in a window so wide."""
    assert POLICY in text
    seen_by_us = text.replace(POLICY, f"{POLICY}; script-src 'unsafe-inline'").replace("<title>", f"{LOOK}<title>", 1)
    (folder / "page.html").write_text(seen_by_us, encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", (folder / "page.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return json.loads(dom.split("<title>")[1].split("</title>")[0])


def page():
    """Two configurations and two categories, from all images and from one."""
    images = [*seen("crack", [9, 8, 3, 2], on=False), *seen("hole", [9, 8, 7, 6]), *seen("good", [1, 2, 6.5])]
    runs = [
        record(images, pixels=0.75, category=category, configuration=name, shots=shots)
        for category in ("a category with a rather long name", "wood")
        for name in ("default", "another configuration")
        for shots in (None, 1)
    ]
    backbones = {"default": "efficientnet_lite0, 224 px", "another configuration": "three networks together, 320 px"}
    return render_page(
        Summary(tuple(runs)), About("mtd", backbones, "patchcore benchmark mtd tiles " + "--set a.b=c " * 30)
    )


if BROWSER:

    @pytest.mark.parametrize("width", [1200, 500])
    def test_chromium_draws_charts_and_bars_and_nothing_sticks_out(tmp_path, width):
        found = drawn(page(), tmp_path, width)
        assert found["refused"] == 0
        assert found["wide"] <= found["window"]
        assert found["charts"] == 3 + 1  # those of the open category, and what more images bring
        assert found["bars"][:2] == pytest.approx([0.5, 1.0], abs=0.02)
        assert found["hidden"] == 3 * 3  # pictures of the mistakes in the closed ones: two misses, one false alarm each
        assert found["outside"] == 0

    def test_the_look_at_the_page_can_fail(tmp_path):
        broken = page().replace(
            "<main>", '<main><div style="width: 3000px">x</div><img src="https://example.org/x.png">'
        )
        found = drawn(broken, tmp_path, 1200)
        assert found["wide"] > found["window"]
        assert found["refused"] > 0


def test_the_page_allows_no_script_at_all():
    assert f'content="{POLICY}; img-src data:; style-src' in page()
