"""A plan says beforehand what the fit then needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from solar_cells import cells

from patchcore_plugin import PatchCore, disk_space, planning
from patchcore_plugin.disk_space import MARGIN
from patchcore_plugin.errors import NoImagesError, TooFewRowsError
from patchcore_plugin.memory_budget import SLACK, Budget
from patchcore_plugin.planning import plan_fit

SMALL = ["images.size=64", "sampler.keep=0.1", "calibration.holdout=0.2"]
MODEL = Path("m.safetensors")


def small(*more):
    return PatchCore.from_preset("default", [*SMALL, *more])


def plain(*more):
    return PatchCore.from_preset("default", ["images.size=64", "calibration.holdout=0.2", *more])


@pytest.fixture(scope="module")
def good():
    return cells(0.0, 20)


@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("sampler.count=77",),
        ("sampler.keep=1",),
        ("sampler.name=random",),
        ("sampler.name=keep-all",),
        ("images.crop=48",),
    ],
)
def test_the_sizes_are_those_of_the_fit(good, tmp_path, settings):
    if "sampler.name=keep-all" not in settings:
        settings = ("sampler.keep=0.1", *settings)
    plan = plan_fit(good, plain(*settings), model=MODEL)
    fitted = plain(*settings).fit(good, store=tmp_path / "store")
    report, bank = fitted.report, fitted.bank
    sizes = plan.sizes
    assert (sizes.images, sizes.held_out, sizes.grid) == (report.images, report.held_out, bank.grid)
    assert (sizes.rows, sizes.width, plan.bank_rows) == (report.rows, report.width, len(bank))
    assert sizes.embedding_bytes == sum(file.stat().st_size for file in (tmp_path / "store").glob("*.f32"))
    fitted.save(tmp_path / "m")
    assert sizes.bank_bytes(plan.bank_rows) <= (tmp_path / "m").stat().st_size + 1


def test_a_sampler_that_does_not_know_its_rows_beforehand_is_scaled_up_from_the_sample(good):
    plan = plan_fit(good, PatchCore.from_preset("default", [SMALL[0], "sampler.radius=1e-9"]), model=MODEL)
    assert (plan.sizes.bank_rows, plan.bank_rows) == (None, plan.sizes.rows)
    assert "about 1,152 rows" in "\n".join(plan.in_words())


def test_half_precision_halves_the_bank(good):
    half, whole = (plan_fit(good, small(f"scoring.bank_dtype={kind}"), model=MODEL) for kind in ("float16", "float32"))
    rows = half.bank_rows
    assert whole.sizes.bank_bytes(rows) - half.sizes.bank_bytes(rows) == rows * 152 * 2


def test_times_are_measured_on_a_few_images_only(good, monkeypatch):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 64 * 5)
    plan = plan_fit(good * 50, small(), model=MODEL)
    assert (plan.sample_images, plan.sample_rows) == (5, 320)
    assert set(plan.seconds) == {"embedding", "choosing", "calibrating"}
    assert all(seconds > 0 for seconds in plan.seconds.values())


def test_a_sampler_that_gets_slower_with_the_square_of_the_rows_is_planned_so(good, monkeypatch):
    clock = iter(np.cumsum([0, 1, 0, 16]))  # a quarter of the sample takes 1, all of it 16
    monkeypatch.setattr(planning.time, "perf_counter", lambda: float(next(clock)))
    sample = np.ones((400, 4), np.float32)
    sizes = planning.FitSizes(images=40, held_out=0, grid=(10, 10), width=4, bank_rows=400)
    _, seconds = planning._chosen_sample(sample, small("sampler.name=random"), sizes)  # which asks for no time itself
    assert seconds == pytest.approx(16 * 100)


def test_a_plan_is_told_in_lines_for_people(good, tmp_path):
    lines = plan_fit(good, small("memory.budget=8 GiB"), model=MODEL, store=tmp_path / "m.fit").in_words()
    told = "\n".join(lines)
    for words in (
        "16 to choose from, 4 put aside",
        "1,024 rows of 152 values",
        "m.fit",
        "102 rows",
        "8.0 GiB",
        "a guess",
    ):
        assert words in told
    assert "Warning" not in told


def test_what_will_not_fit_in_memory_is_warned_of(good, monkeypatch):
    monkeypatch.setattr(planning, "available_bytes", lambda: 2**18)
    plan = plan_fit(good, small(), model=MODEL)
    assert any("will not fit in memory" in warning and "memory.budget" in warning for warning in plan.warnings)
    assert "Warning: this will not fit" in "\n".join(plan.in_words())


def test_a_budget_that_the_sampler_cannot_keep_is_warned_of(good):
    plan = plan_fit(good, small("memory.budget=20 MiB", "sampler.name=numba-greedy"), model=MODEL)
    assert any("pruned-greedy" in warning for warning in plan.warnings)


def test_a_disk_that_is_too_small_is_warned_of(good, monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    plan = plan_fit(good, small(), model=tmp_path / "m", store=tmp_path / "m.fit")
    assert any("disk is too small" in warning for warning in plan.warnings)


def test_what_the_sampler_puts_on_the_disk_is_counted(good, monkeypatch, tmp_path):
    monkeypatch.setattr(Budget, "left", lambda self: SLACK + 50_000)  # so little that short vectors must wait there
    few = small("memory.budget=1 GiB")
    plan = plan_fit(good, few, model=tmp_path / "m", store=tmp_path / "m.fit")
    short = 1024 * 49 * 4
    assert plan.sizes.scratch_bytes == short == few.parts.sampler.disk_bytes(1024, 152, 50_000)
    assert "196.0 KiB beside them while choosing" in "\n".join(plan.in_words())
    needed = MARGIN + plan.sizes.bank_bytes(plan.bank_rows) + plan.sizes.embedding_bytes + short
    for free, warnings in ((needed, 0), (needed - 1, 1)):
        monkeypatch.setattr(planning, "free_bytes", lambda path, free=free: free)
        told = plan_fit(good, few, model=tmp_path / "m", store=tmp_path / "m.fit").warnings
        assert sum("disk is too small" in warning for warning in told) == warnings


def test_a_system_that_does_not_tell_its_memory_is_no_obstacle(good, monkeypatch):
    monkeypatch.setattr(planning, "available_bytes", lambda: None)
    plan = plan_fit(good, small(), model=MODEL)
    assert plan.warnings == ()
    assert "available" not in "\n".join(plan.in_words())


def test_what_fit_would_refuse_is_refused(tmp_path, good):
    with pytest.raises(NoImagesError, match="holds no files"):
        plan_fit(tmp_path, small(), model=MODEL)
    with pytest.raises(TooFewRowsError, match="count"):
        plan_fit(good, small("sampler.count=100000"), model=MODEL)


def test_the_progress_of_measuring_is_told(good):
    heard = []
    plan_fit(good, small(), model=MODEL, progress=lambda stage, done, total: heard.append((stage, done, total)))
    assert (planning.MEASURING, 3, 3) in heard
