from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
from made_up_tiles import tiles
from typer.main import get_command
from typer.testing import CliRunner

from patchcore_plugin.benchmark import series
from patchcore_plugin.cli import app
from patchcore_plugin.datasets import LAYOUT_NAMES
from patchcore_plugin.folder_lock import FolderLock

SMALL = ["--set", "images.size=[32, 48]", "--set", "sampler.keep=0.2"]


def benchmark(*words):
    return CliRunner().invoke(app, ["benchmark", *map(str, words)])


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tiles(tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="module")
def two_seeds(root, tmp_path_factory):
    """A benchmark of two seeds, all images and two of them, with what it printed."""
    folder = tmp_path_factory.mktemp("bench")
    return folder, benchmark("mtd", root, "--out", folder, "--seeds", "0,1", "--shots", "all,2", *SMALL)


def test_one_command_prints_mean_and_spread_over_the_seeds(two_seeds):
    _, done = two_seeds
    assert done.exit_code == 0, done.output
    row = next(line for line in done.stdout.splitlines() if line.startswith("| default "))
    assert "efficientnet_lite0, 32 x 48 px" in row
    assert re.search(r"\d+\.\d\d ± \d+\.\d\d", row)
    assert "mean ± standard deviation over 2 seeds (0, 1)" in done.stdout
    assert "4 published figure(s) are not shown" in done.stdout


def test_every_run_is_told_as_it_is_finished_with_the_time_left(two_seeds):
    _, done = two_seeds
    told = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert len(told) == 4
    assert told[0].startswith("[1/4] magnetic-tile, default, all images, seed 0: image AUROC ")
    assert "about 1 s left, and 2 of kinds not timed yet" in told[0]
    assert told[-1].endswith(" s")


def test_the_folder_holds_tables_a_page_and_the_runs_and_nothing_else(two_seeds):
    folder, done = two_seeds
    assert sorted(os.listdir(folder)) == [".lock", "index.html", "results.csv", "results.json", "results.md", "runs"]
    assert len(os.listdir(folder / "runs")) == 4
    assert (folder / "results.md").read_text(encoding="utf-8").split("\n### ")[0] in done.stdout
    assert len(list(csv.DictReader((folder / "results.csv").read_text().splitlines()))) == 4
    assert json.loads((folder / "results.json").read_text())["layout"] == "mtd"


def test_the_command_that_is_written_down_makes_the_same_tables(two_seeds):
    folder, _ = two_seeds
    text = (folder / "results.md").read_text(encoding="utf-8")
    command = text.split("```text\n")[1].split("\n")[0].split()
    assert command[:3] == ["patchcore", "benchmark", "mtd"]
    assert "--seeds 0,1 --shots all,2" in " ".join(command)


def test_a_benchmark_that_was_interrupted_keeps_its_runs_and_goes_on(root, tmp_path, monkeypatch):
    words = ("mtd", root, "--out", tmp_path, "--seeds", "0,1,2", "--no-pixels", *SMALL)
    carry_out, begun = series.carry_out, []

    def second_is_interrupted(run, *rest, **more):
        begun.append(run.seed)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return carry_out(run, *rest, **more)

    monkeypatch.setattr(series, "carry_out", second_is_interrupted)
    stopped = benchmark(*words)
    assert stopped.exit_code == 1
    assert "Interrupted" in stopped.stderr
    assert os.listdir(tmp_path / "runs") == ["magnetic-tile__default__all__seed-0.json"]
    went_on = benchmark(*words)
    assert went_on.exit_code == 0, went_on.output
    assert begun == [0, 1, 1, 2]
    assert "seed 0" in next(line for line in went_on.stderr.splitlines() if "done before" in line)


def test_other_settings_in_the_same_folder_are_refused(root, two_seeds):
    folder, _ = two_seeds
    refused = benchmark("mtd", root, "--out", folder, "--seeds", "0", *SMALL, "--set", "scoring.sigma=2")
    assert refused.exit_code == 1
    assert "scoring: sigma: 4.0 there, 2.0 here" in refused.stderr
    assert "another --out" in refused.stderr


def test_a_folder_takes_one_benchmark_at_a_time(root, tmp_path):
    lock = FolderLock(tmp_path / ".lock")
    refused = benchmark("mtd", root, "--out", tmp_path, *SMALL)
    lock.release()
    assert refused.exit_code == 1
    assert "in use by another benchmark" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shots", "some"], "--shots is 'some'"),
        (["--seeds", "first"], "--seeds is 'first'"),
        (["--category", "bottle"], "no category 'bottle'"),
        (["--keep-features", "much"], "--keep-features: 'much' is no size"),
        (["--preset", "fastest"], "there is no preset 'fastest'"),
        (["--set", "sampler.seed=1"], "no use in a benchmark"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_exit_code_2_and_nothing_is_written(root, tmp_path, words, said):
    refused = benchmark("mtd", root, "--out", tmp_path / "out", *words)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()


def test_more_images_than_there_are_are_refused_before_anything_is_run(root, tmp_path):
    refused = benchmark("mtd", root, "--out", tmp_path, "--seeds", "0", "--shots", "99", *SMALL)
    assert refused.exit_code == 1
    assert "99 images to learn from are asked for" in refused.stderr
    assert not (tmp_path / "runs").exists()


def test_the_docs_list_every_option_and_layout_and_no_others():
    page = (Path(__file__).parents[2] / "docs" / "benchmarking.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `--")]
    listed = {option for row in rows for option in re.findall(r"`(--[a-z-]+)", row.split("|")[1])}
    options = [one for parameter in get_command(app).commands["benchmark"].params for one in parameter.opts]
    assert listed == {one for one in options if one.startswith("--")}
    named = page.split("how the data set lies on disk (")[1].split(")")[0]
    assert tuple(re.findall(r"`([a-z0-9-]+)`", named)) == LAYOUT_NAMES
