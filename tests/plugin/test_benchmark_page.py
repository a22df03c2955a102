from __future__ import annotations

import sys

import pytest
from made_up_records import DOT, record, seen
from read_page import Page

from patchcore_plugin.benchmark.page import About, render_page, write_page
from patchcore_plugin.benchmark.summary import Summary
from patchcore_plugin.errors import MissingLibraryError

ABOUT = About("mtd", {"default": "lite0, 64 px", "fine": "lite2, 96 px"}, "patchcore benchmark mtd tiles --out bench")


def run(**more):
    """Ten defective images of two kinds, of which three are missed, and one false alarm among four good ones."""
    images = [
        *seen("crack", [9, 8, 3, 2], on=False),
        *seen("hole", [9, 8, 7, 6, 5.5, 4]),
        *seen("good", [1, 2, 3.5, 6.5]),
    ]
    return record(images, **{"pixels": 0.75} | more)


@pytest.fixture
def page():
    return Page(render_page(Summary((run(), run(seed=1))), ABOUT))


def test_the_headline_counts_in_hundreds_what_is_found_and_what_raises_a_false_alarm(page):
    assert "Of 100 defective images 70 are found; of 100 good ones 25 raise a false alarm." in page.text
    assert "The threshold was set beforehand" in page.text


def test_the_weakest_defect_comes_first_with_its_reason(page):
    assert "crack : 50 of 100 are found. Not seen: 0 % of the missed ones are hottest on the defect" in page.text
    assert page.text.index("crack : 50") < page.text.index("hole : 83")


def test_a_threshold_in_hindsight_is_called_that():
    text = Page(render_page(Summary((run(source="hindsight"),)), ABOUT)).text
    assert "chosen with the answers known, so that at most 5 % of the good test images raise an alarm" in text


def test_the_worst_images_are_shown_with_photograph_heat_map_and_count(page):
    assert "Worst misses" in page.text
    assert "Worst false alarms" in page.text
    cards = page.all("article")
    assert len(cards) == 3 + 1
    assert page.text.count("missed in 2 of 2 runs") == 3
    assert [image["src"] for image in page.all("img")].count(DOT) == 2 * len(cards)
    assert all(image["alt"] for image in page.all("img"))
    assert "heat lies elsewhere; the defect is 1 % of the image" in page.text


def test_histogram_roc_and_pro_are_drawn(page):
    labels = [svg["aria-label"] for svg in page.all("svg")]
    assert [label.split(",")[0].split(":")[0] for label in labels] == [
        "Histogram of scores",
        "ROC curve",
        "PRO curve up to 0.3 false alarms",
    ]


def test_without_masks_nothing_is_said_about_them():
    images = [*seen("crack", [9, 3], share=None), *seen("good", [1, 2])]
    page = Page(render_page(Summary((record(images),)), ABOUT))
    for word in ("PRO", "pixel", "median size", "turquoise", "hottest"):
        assert word not in page.text
    assert len(page.all("svg")) == 2


def test_published_figures_stand_beside_ours():
    page = Page(render_page(Summary(tuple(run(seed=seed) for seed in range(5))), ABOUT))
    assert "PatchCore-10 [1] WideResNet-50-2 97.90" in page.text
    assert len([row for row in page.all("tr") if row.get("class") == "foreign"]) == 4


def test_several_configurations_categories_and_few_images_have_their_places():
    runs = [
        run(configuration=name, category=category, shots=shots)
        for category in ("tile", "wood")
        for name in ("default", "fine")
        for shots in (None, 5, 1)
    ]
    page = Page(render_page(Summary(tuple(runs)), ABOUT))
    assert "Best of them by image AUROC: default" in page.text
    assert len([one for one in page.all("details") if "open" in one]) == 2  # one configuration, one category in it
    assert len(page.all("details")) == 2 + 2 * 2
    assert "What more images bring" in page.text
    assert "image AUROC by images learned" in page.text
    assert "average" in page.text


def test_everything_that_comes_from_outside_is_escaped():
    nasty = "<script>alert('x')</script>\"&"
    about = About(nasty, {nasty: nasty}, nasty)
    text = render_page(Summary((run(configuration=nasty, category=nasty),)), about)
    assert "<script" not in text
    assert nasty in Page(text).text


def test_nothing_is_fetched_from_anywhere(page):
    sources = [found[key] for _, found in page.tags for key in ("src", "href", "action", "data") if key in found]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not page.all("script")


def test_the_command_the_settings_and_the_versions_are_told(page):
    for words in (ABOUT.command, "false_alarm_rate 0.05", "patchcore-plugin 0.1.0", "lite0, 64 px"):
        assert words in page.text


def test_the_page_is_written_whole(tmp_path):
    summary = Summary((run(),))
    write_page(tmp_path / "out" / "index.html", summary, ABOUT)
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8") == render_page(summary, ABOUT)


def test_a_missing_jinja2_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'patchcore-plugin\[eval\]'"):
        write_page(tmp_path / "index.html", Summary((run(),)), ABOUT)
    assert not list(tmp_path.iterdir())
