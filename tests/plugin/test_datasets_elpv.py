"""Solar cells: the installed package is a data set, and cells that nobody is sure of stay out."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from patchcore_plugin.datasets import open_dataset
from patchcore_plugin.demo import solar_cells
from patchcore_plugin.errors import InputError, NoImagesError

ROOT = Path(find_spec("elpv_dataset").origin).parent / "data"


def test_the_installed_cells_are_those_of_the_demonstration():
    dataset, shown = open_dataset("elpv", ROOT), solar_cells(seed=0)
    assert dataset.categories == ("mono", "poly")
    split = dataset.split("mono", seed=0)
    assert len(split.fit) == len(shown.learned)
    assert Counter(image.kind for image in split.test) == Counter(shown.scored.kinds)
    everything = {*split.fit, *(image.path for image in split.test)}
    assert everything == {*shown.learned, *shown.scored.paths}


def test_cells_that_nobody_is_sure_of_are_counted_and_left_out(tmp_path):
    (tmp_path / "images").mkdir()
    lines = [f"images/{i}.png {p} mono" for i, p in enumerate([0.0] * 5 + [1.0] * 2 + [1 / 3] * 3)]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, ""]))
    for i in range(10):
        (tmp_path / "images" / f"{i}.png").write_bytes(bytes([i]) * (i + 1))
    dataset = open_dataset("elpv", tmp_path)
    assert dataset.notes == ("not looked at, since their authors were not sure of them: 3 cells.",)
    split = dataset.split("mono", seed=0)
    assert [len(split.fit), len(split.test)] == [4, 3]


@pytest.mark.parametrize("line", ["images/a.png 1.0", "images/a.png likely mono", "images/a.png,1.0,mono"])
def test_a_line_that_is_no_label_is_refused_with_its_number(line, tmp_path):
    (tmp_path / "labels.csv").write_text(f"images/b.png 0.0 mono\n{line}\n")
    with pytest.raises(InputError, match="line 2"):
        open_dataset("elpv", tmp_path)


def test_a_missing_table_or_cell_is_named(tmp_path):
    with pytest.raises(NoImagesError, match=r"labels\.csv"):
        open_dataset("elpv", tmp_path)
    (tmp_path / "labels.csv").write_text("images/b.png 0.0 mono\n")
    with pytest.raises(NoImagesError, match=r"b\.png"):
        open_dataset("elpv", tmp_path).split("mono", seed=0)
