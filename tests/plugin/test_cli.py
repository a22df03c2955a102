from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from solar_cells import IMAGES, cells
from typer.testing import CliRunner

from patchcore_plugin import PatchCore, disk_space
from patchcore_plugin.bank_file import read_bank
from patchcore_plugin.cli import app

SMALL = ["--set", "images.size=[64, 64]", "--set", "sampler.keep=0.05"]


def patchcore(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A plant's folders: good parts to learn from, and a labelled test folder."""
    root = tmp_path_factory.mktemp("parts")
    good = cells(0.0, 24)
    for folder, paths in {"good": good[:18], "test/good": good[18:], "test/crack": cells(1.0, 6)}.items():
        (root / folder).mkdir(parents=True)
        for path in paths:
            (root / folder / path.name).symlink_to(path)
    return root


@pytest.fixture(scope="module")
def model(parts):
    done = patchcore("fit", parts / "good", "--out", parts / "model.safetensors", *SMALL)
    assert done.exit_code == 0, done.output
    return parts / "model.safetensors"


def test_fit_says_what_was_learned_and_what_the_threshold_is_worth(parts, tmp_path):
    done = patchcore("fit", parts / "good", "--out", tmp_path / "m.safetensors", *SMALL)
    assert "51 patches remembered from 16 images" in done.stdout
    assert "2 held-out good images" in done.stdout


def test_fit_reports_rows_and_seconds_for_each_stage(parts, tmp_path):
    told = patchcore("fit", parts / "good", "--out", tmp_path / "m", *SMALL).stdout
    assert "1,024 patches of 16 images, 152 values each: 51 remembered" in told
    assert all(stage in told for stage in ("embedding", "choosing", "calibrating"))


def test_within_a_budget_the_model_is_the_same_and_the_embeddings_are_gone_afterwards(parts, model, tmp_path):
    done = patchcore("fit", parts / "good", "--out", tmp_path / "m", *SMALL, "--set", "memory.budget=8 GiB")
    assert done.exit_code == 0, done.output
    assert "m.fit" in done.output
    assert os.listdir(tmp_path) == ["m"]
    ours, other = read_bank(tmp_path / "m"), read_bank(model)
    assert (ours.embeddings.tobytes(), ours.settings) == (other.embeddings.tobytes(), other.settings)
    assert ours.held_out_scores.tobytes() == other.held_out_scores.tobytes()


def test_a_fit_that_fails_keeps_its_embeddings_and_says_that_the_same_command_goes_on(parts, model, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    for path in (parts / "good").iterdir():
        (good / path.name).symlink_to(path)
    (good / "zzz.png").write_text("no image")
    fit = ["fit", good, "--out", tmp_path / "m", *SMALL, "--store", tmp_path / "kept"]
    stopped = patchcore(*fit)
    assert stopped.exit_code == 1
    assert "the same command goes on from there" in stopped.output.replace("\n", " ")
    assert json.loads((tmp_path / "kept" / "done.json").read_text())["images"] == 16
    shutil.copy((parts / "good").iterdir().__next__(), good / "zzz.png")
    done = patchcore(*fit)
    assert done.exit_code == 0, done.output
    assert "16 images were embedded by an earlier run" in done.stdout
    assert not (tmp_path / "kept").exists()


def test_embeddings_of_another_fit_are_refused_and_stay(parts, tmp_path):
    PatchCore.from_preset("default", [SMALL[1], SMALL[3]]).fit(parts / "good", store=tmp_path / "kept")
    other = [*SMALL, "--set", "calibration.seed=1", "--store", tmp_path / "kept"]
    refused = patchcore("fit", parts / "good", "--out", tmp_path / "m", *other)
    assert refused.exit_code == 1
    assert "calibration.seed was 0 there and is 1 here" in refused.output
    assert os.listdir(tmp_path) == ["kept"]


def test_a_budget_that_is_too_small_for_the_sampler_names_another_one(parts, tmp_path):
    greedy = ["--set", "sampler.name=numba-greedy", "--set", "memory.budget=64 MiB"]
    refused = patchcore("fit", parts / "good", "--out", tmp_path / "m", *SMALL, *greedy)
    assert refused.exit_code == 2
    assert "pruned-greedy" in refused.output
    assert os.listdir(tmp_path) == []


def test_a_disk_without_room_for_the_model_is_refused_before_the_work(parts, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    refused = patchcore("fit", parts / "good", "--out", tmp_path / "m", *SMALL)
    assert refused.exit_code == 1
    assert "1.0 MiB are free" in refused.output
    assert "reading good images" not in refused.output
    assert os.listdir(tmp_path) == []


def test_plan_says_what_fit_will_need_and_leaves_nothing(parts, tmp_path):
    told = patchcore("plan", parts / "good", "--out", tmp_path / "m", *SMALL, "--set", "memory.budget=8 GiB")
    assert told.exit_code == 0, told.output
    for line in ("16 to choose from, 2 put aside", "1,024 rows of 152 values", "51 rows", "m.fit", "calibrating"):
        assert line in told.stdout
    assert os.listdir(tmp_path) == []


def test_score_writes_a_table_lines_and_heat_maps(parts, model, tmp_path):
    done = patchcore("score", model, parts / "test", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    with (tmp_path / "scores.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == 12
    assert [float(row["score"]) for row in table] == [line["score"] for line in lines]
    assert all((tmp_path / row["heat_map"]).is_file() for row in table)
    assert all(Path(row["nearest_good_image"]).parent == parts / "good" for row in table)
    assert {row["verdict"] for row in table} <= {"good", "defective"}
    assert not (tmp_path / "index.html").exists()


def test_score_draws_a_page_when_asked(parts, model, tmp_path):
    assert patchcore("score", model, parts / "test" / "crack", "--out", tmp_path, "--page").exit_code == 0
    assert "<html" in (tmp_path / "index.html").read_text()


def test_evaluate_prints_figures_and_writes_them(parts, model, tmp_path):
    done = patchcore("evaluate", model, parts / "test", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "6 good and 6 defective images" in done.stdout
    figures = json.loads((tmp_path / "metrics.json").read_text())["figures"]
    assert f"image auroc                {figures['image_auroc']:.4f}" in done.stdout
    assert (tmp_path / "index.html").is_file()


def test_plugins_lists_the_parts_for_people_and_for_programs():
    assert "numba-greedy" in patchcore("plugins").stdout
    listing = json.loads(patchcore("plugins", "--json").stdout)
    assert {"kind": "sampler", "name": "keep-all"}.items() <= next(
        row for row in listing["parts"] if row["name"] == "keep-all"
    ).items()
    assert listing["failures"] == []


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["fit", "{good}", "--out", "{tmp}/m", "--set", "sampler.kep=0.1"], 2, "keep"),
        (["fit", "{good}", "--out", "{tmp}/m", "--set", "sampler.name=greedy"], 2, "numba-greedy"),
        (["fit", "{good}", "--out", "{tmp}/m", "--preset", "nonesuch"], 2, "default"),
        (["fit", "{good}", "--out", "{tmp}/m", "--config", "{tmp}/none.toml"], 2, "none.toml"),
        (["fit", "{good}"], 2, "--out"),
        (["fit", "{tmp}", "--out", "{tmp}/m"], 1, "holds no files"),
        (["fit", "{good}", "--out", "{tmp}"], 1, "is a folder"),
        (["score", "{tmp}/none", "{good}", "--out", "{tmp}/out"], 1, "cannot be read"),
        (["evaluate", "{model}", "{good}"], 1, "at least one folder of defective parts"),
        (["score", "{model}", "{good}", "--out", "{tmp}/out", "--set", "sampler.keep=0.5"], 2, "fit another model"),
        (["evaluate", "{model}", "{good}/..", "--set", "images.flips=both"], 2, "would change nothing"),
    ],
)
def test_errors_explain_themselves_and_leave_nothing(parts, model, tmp_path, arguments, exit_code, text):
    done = patchcore(*(a.format(good=parts / "good", tmp=tmp_path, model=model) for a in arguments))
    assert done.exit_code == exit_code, done.output
    assert text in done.output.replace("\n", " ")
    assert "Traceback" not in done.output
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_file_that_is_no_image_is_named_unless_skipping_was_asked_for(parts, tmp_path):
    (tmp_path / "good").mkdir()
    for path in (parts / "good").iterdir():
        (tmp_path / "good" / path.name).symlink_to(path)
    (tmp_path / "good" / "notes.png").write_text("not an image")
    fit = ["fit", tmp_path / "good", "--out", tmp_path / "m", *SMALL]
    stopped = patchcore(*fit)
    assert (stopped.exit_code, (tmp_path / "m").exists()) == (1, False)
    assert "notes.png" in stopped.output.replace("\n", "")
    done = patchcore(*fit, "--skip-unreadable")
    assert done.exit_code == 0, done.output
    assert "notes.png" in done.output.replace("\n", "")


@pytest.mark.long
@pytest.mark.parametrize("seconds", [2.5, 4.0, 5.5])
def test_ctrl_c_leaves_no_half_written_file(parts, tmp_path, seconds):
    everything = ["--set", "sampler.keep=0.9", "--set", "images.size=224"]
    command = [sys.executable, "-c", "from patchcore_plugin.cli import main; main()"]
    run = subprocess.Popen(
        [*command, "fit", str(IMAGES), "--out", str(tmp_path / "m"), *everything],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "compiled")},  # it is compiling most of the time
    )
    time.sleep(seconds)
    run.send_signal(signal.SIGINT)
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 1, complaint
    assert "Traceback" not in complaint
    assert "Interrupted" in complaint
    assert set(os.listdir(tmp_path)) <= {"compiled"}
