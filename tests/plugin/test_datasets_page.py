"""What docs/datasets.md says: its table is complete, its example runs, its manifest is one."""

from __future__ import annotations

import re
from pathlib import Path

import made_up_datasets as made_up

from patchcore_plugin.datasets import LAYOUT_NAMES, open_dataset

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")


def test_each_layout_has_a_line_in_the_table_and_a_section():
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \| .* \| .* \| .* \| ", PAGE, flags=re.MULTILINE)) == list(
        LAYOUT_NAMES
    )
    assert set(LAYOUT_NAMES) < set(re.findall(r"^## (.*)$", PAGE, flags=re.MULTILINE))


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made_up.mvtec(tmp_path / "data" / "mvtec_ad", "bottle")
    made_up.pictures(tmp_path / "data/mvtec_ad/bottle/train/good", 4, first=4)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(program, "docs/datasets.md", "exec"), {})  # noqa: S102 - the page's own example
    assert capsys.readouterr().out.startswith("('bottle',) True ()\n[(")


def test_the_manifest_is_one(tmp_path):
    (text,) = re.findall(r"```text\n(path,kind.*?)\n```", PAGE, flags=re.DOTALL)
    file = made_up.manifest(tmp_path / "parts.csv", *text.splitlines())
    for mask in re.findall(r"masks/\w+\.png", text):
        made_up.mask(tmp_path / mask)
    split = open_dataset("csv", file).split("gear", seed=0)
    assert [len(split.fit), len(split.calibrate)] == [1, 1]
    assert [(image.kind, len(image.masks)) for image in split.test] == [("good", 0), ("dent", 1), ("scratch", 2)]
