from __future__ import annotations

import base64
import io
import sys

import numpy as np
import pytest
from made_up_reports import labelled, report
from PIL import Image
from read_page import Page

from patchcore_plugin.errors import EmptyInputError, InputError, MissingLibraryError, NonFiniteError
from patchcore_plugin.report.page import Entry, render_page, write_page

PICTURE = np.full((20, 30, 3), 90, np.uint8)


def test_the_headline_counts_what_is_found_and_missed():
    page = Page(render_page(labelled([9, 8, 1], [7, 2, 1, 0], threshold=5.0, noun=("cell", "cells"))))
    assert "Of 3 defective cells, 2 are found; of 4 good cells, 1 raises a false alarm." in page.text
    assert "At the model's own threshold, 5.000" in page.text
    assert "7 cells inspected" in page.text
    assert "AUROC 0.792" in page.text
    assert "Worst misses" in page.text
    assert "Worst false alarms" in page.text
    assert len(page.all("svg")) == 2


def test_without_a_threshold_the_best_one_in_hindsight_is_used_and_called_that():
    page = Page(render_page(labelled([9, 8], [1, 2])))
    assert "At the threshold with the best F1, 8.000, chosen with the answers known." in page.text
    assert "Of 2 defective parts, 2 are found; of 2 good parts, 0 raise a false alarm." in page.text


def test_without_labels_the_page_works_and_claims_nothing():
    entries = [Entry(name=f"{i}.png", score=float(i), p_value=0.25) for i in range(5)]
    page = Page(render_page(report(entries, threshold=3.5)))
    assert "5 parts inspected" in page.text
    assert "1 ▲ raise an alarm" in page.text
    for claim in ("AUROC", "F1", "false alarm", "defective", "Where it was wrong"):
        assert claim not in page.text
    assert len(page.all("svg")) == 1
    assert page.text.count("p = 0.25") == 5


def test_one_kind_of_label_gives_counts_but_no_curve():
    page = Page(render_page(labelled([], [1, 2, 9], threshold=5.0)))
    assert "Of 3 good parts, 1 raises a false alarm." in page.text
    assert "AUROC" not in page.text


def test_a_single_part_and_equal_scores_are_fine():
    assert "1 part inspected" in Page(render_page(report([Entry(name="a", score=0.0)]))).text
    assert "AUROC 0.500" in Page(render_page(labelled([2, 2], [2, 2], threshold=2.0))).text


def test_everything_that_comes_from_outside_is_escaped():
    nasty = "<script>alert('x')</script>\"&"
    entry = Entry(name=nasty, score=1.0, label=True, link="a b/<x>.png")
    text = render_page(
        report([entry], title=nasty, intro=nasty, settings={nasty: nasty}, facts={nasty: 1.5}, metrics={nasty: nasty},
               command=nasty, noun=(nasty, nasty), threshold=0.0)
    )  # fmt: skip
    page = Page(text)
    assert text.count("<script>") == 1  # our own
    assert nasty in page.text
    assert page.all("a") == [{"href": "a%20b/%3Cx%3E.png"}]


def test_a_link_cannot_run_anything():
    page = Page(render_page(report([Entry(name="a", score=1.0, link="javascript:alert(1)")])))
    assert page.all("a") == [{"href": "javascript%3Aalert%281%29"}]


def test_nothing_is_fetched_from_anywhere():
    page = Page(render_page(report([Entry(name="a", score=1.0, thumbnail=PICTURE, overlay=PICTURE)])))
    sources = [a[key] for _, a in page.tags for key in ("src", "href", "action", "data") if key in a]
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not page.all("link")


def test_pictures_are_small_jpegs_with_words_for_those_who_cannot_see_them():
    large = np.zeros((900, 600), np.uint8)
    page = Page(render_page(report([Entry(name="parts/a.png", score=1.5, thumbnail=large, overlay=lambda: PICTURE)])))
    images = page.all("img")
    assert all(image["alt"] for image in images)
    pictures = [image["src"] for image in images if image["src"].startswith("data:image/jpeg")]
    sizes = [Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).size for source in pictures]
    assert sizes == [(213, 320), (30, 20)]


def test_only_pictures_that_are_shown_are_made():
    made = []

    def make():
        made.append(1)
        return PICTURE

    entries = [Entry(name=str(i), score=float(i), overlay=make) for i in range(300)]
    page = Page(render_page(report(entries, threshold=100.0)))
    assert len(made) == len(page.all("article")) == 84
    assert len(page.all("tr")) == 301  # but all stand in the table
    assert "Closest to the threshold" in page.text


def test_the_scale_is_explained_once_pictures_use_it():
    page = Page(render_page(report([Entry(name="a", score=1.0, overlay=PICTURE)], threshold=2.5, scale=(0.0, 10.0))))
    assert "0.000 and below: not painted" in page.text
    assert "10.00 and above" in page.text
    assert page.all("i")[0]["style"] == "left: 25.0%"
    assert "not painted" not in Page(render_page(report([Entry(name="a", score=1.0)]))).text


def test_good_and_bad_are_told_in_words_and_shapes_too():
    text = Page(render_page(labelled([9], [1], threshold=5.0))).text
    for words in ("◆ defective", "● good", "▲ alarm", "✓ passed"):
        assert words in text


def test_settings_facts_further_figures_and_the_command_are_shown():
    more = {"settings": {"Backbone": "lite0"}, "facts": {"Seconds": 1.23456}, "metrics": {"Pixel AUROC": 0.98765}}
    text = Page(render_page(labelled([9], [1], command="patchcore demo", **more))).text
    for words in ("Backbone lite0", "Seconds 1.235", "Pixel AUROC 0.9877", "Do it again patchcore demo"):
        assert words in text


def test_figures_that_the_page_says_anyway_are_not_repeated():
    text = Page(render_page(labelled([9], [1], metrics={"image_auroc": 0.123, "pixel_auroc": 0.456}))).text
    assert "0.123" not in text
    assert "pixel auroc 0.456" in text


def test_settings_in_sections_are_written_out():
    sections = {"images": {"size": (224, 224), "crop": None}, "sampler": {"name": "random", "keep": 0.01}}
    text = Page(render_page(report([Entry(name="a", score=1.0)], settings=sections))).text
    assert "images size 224, 224; crop none sampler name random; keep 0.01" in text


def test_the_page_is_written_whole(tmp_path):
    data = labelled([9], [1])
    write_page(tmp_path / "out" / "index.html", data)
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8") == render_page(data)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["index.html"]


def test_a_missing_jinja2_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'patchcore-plugin\[eval\]'"):
        write_page(tmp_path / "index.html", labelled([9], [1]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"entries": []}, EmptyInputError, "at least one inspected part"),
        ({"entries": [Entry(name="a.png", score=float("nan"))]}, NonFiniteError, "score of a.png is nan"),
        ({"threshold": float("inf")}, NonFiniteError, "threshold is inf"),
        ({"scale": (1.0, 1.0)}, InputError, "from 1.0 to 1.0"),
    ],
)
def test_a_report_of_nonsense_is_refused_before_anything_is_written(wrong, error, text):
    with pytest.raises(error, match=text):
        report(**({"entries": [Entry(name="a", score=1.0)]} | wrong))
