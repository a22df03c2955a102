from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from patchcore_plugin.errors import OutputError
from patchcore_plugin.result_files import file_stems, write_csv, write_jsonl

ROWS = [{"image": "ä,b.png", "score": 0.1 + 0.2, "p_value": None}, {"image": 'c"d', "score": 1.0, "p_value": 0.5}]


def test_csv_keeps_every_digit_and_every_name(tmp_path):
    write_csv(tmp_path / "s.csv", ROWS)
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        again = list(csv.DictReader(file))
    assert [row["image"] for row in again] == ["ä,b.png", 'c"d']
    assert [float(row["score"]) for row in again] == [0.1 + 0.2, 1.0]
    assert [row["p_value"] for row in again] == ["", "0.5"]


def test_jsonl_is_one_object_a_line(tmp_path):
    write_jsonl(tmp_path / "s.jsonl", ROWS)
    lines = (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ROWS


def test_a_table_that_cannot_be_finished_leaves_the_old_one(tmp_path):
    write_csv(tmp_path / "s.csv", ROWS)
    before = (tmp_path / "s.csv").read_bytes()
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_csv(tmp_path / "s.csv", [*ROWS, {"another": 1}])
    assert (tmp_path / "s.csv").read_bytes() == before
    assert os.listdir(tmp_path) == ["s.csv"]


def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Choose a folder"):
        write_jsonl(tmp_path / "file" / "s.jsonl", ROWS)


def test_every_image_gets_a_file_name_of_its_own():
    names = ["/parts/a/1.png", "/parts/a/1.jpg", "/parts/b/1.png", "/parts/a/1-2.png"]
    stems = file_stems(names)
    assert stems == ["a__1", "a__1-2", "b__1", "a__1-2-2"]


def test_file_names_stay_inside_their_folder():
    for names in (["../x.png", "y.png"], ["/x.png", "rel/y.png"], ["x.png"], ["/a/b.png"]):
        stems = file_stems(names)
        assert len(set(stems)) == len(names)
        assert all(Path(stem).name == stem and not stem.startswith(".") for stem in stems)
