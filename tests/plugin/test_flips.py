"""Good photographs that are remembered mirrored too: which, how often, and where their patches come from."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_parts import SIDE, TURNED, parts, textures

from patchcore_plugin import PatchCore, fit_store, fitting, planning
from patchcore_plugin.bank_file import write_bank
from patchcore_plugin.config import Settings, load_settings
from patchcore_plugin.errors import ConfigError, StoreError
from patchcore_plugin.flips import pictures_of
from patchcore_plugin.good_images import InMemory
from patchcore_plugin.planning import plan_fit

SMALL = [f"images.size={SIDE}", "sampler.name=keep-all"]
ALL = 'images.flips=["horizontal", "vertical", "both"]'
UNREADABLE = np.zeros((8, 8, 2), np.uint8)


def made(*settings, holdout=0.0):
    return PatchCore.from_preset("default", [*SMALL, f"calibration.holdout={holdout}", *settings])


def answer(fitted):
    """Everything a fit decides, as bytes."""
    bank = fitted.bank
    arrays = (bank.embeddings, bank.origins, bank.held_out_scores)
    return (*(array.tobytes() for array in arrays), bank.image_names, bank.grid, json.dumps(bank.settings))


@pytest.fixture
def small_steps(monkeypatch):
    """Two images a step with one flip, each step flushed, so that there are places to stop at."""
    monkeypatch.setattr(fitting, "BATCH", 4)
    monkeypatch.setattr(fit_store, "SECONDS_BETWEEN_SYNCS", 0.0)


@pytest.fixture
def embedded(monkeypatch):
    """How many pictures the network saw, call by call."""
    seen = []

    def watch(detector):
        extract = type(detector.parts.extractor).extract
        monkeypatch.setattr(
            type(detector.parts.extractor),
            "extract",
            lambda self, pixels: seen.append(len(pixels)) or extract(self, pixels),
        )
        return seen

    return watch


@pytest.mark.parametrize("flip", TURNED)
def test_a_part_that_lies_another_way_is_good_once_that_way_is_remembered(flip):
    new, turned = parts(4, seed=1), [TURNED[flip](part) for part in parts(4, seed=2)]
    usual = made().fit(parts(6))
    highest = usual.score(new).image.max()
    assert usual.score(turned).image.min() > 2 * highest
    assert made(f"images.flips={flip}").fit(parts(6)).score(turned).image.max() < 1.2 * highest


def test_only_the_ways_that_are_named_are_remembered():
    fitted = made("images.flips=horizontal").fit(parts(6))
    highest = fitted.score(parts(4, seed=1)).image.max()
    for other in ("vertical", "both"):
        assert fitted.score([TURNED[other](part) for part in parts(4, seed=2)]).image.min() > 2 * highest


@pytest.mark.parametrize("flip", TURNED)
def test_a_mirrored_patch_points_to_its_place_in_the_photograph_as_it_came(flip):
    photographs = textures(3)
    fitted = made(ALL).fit(photographs)
    h, w = fitted.bank.grid
    expected = TURNED[flip](np.stack(np.mgrid[:h, :w], axis=-1))
    for number, photograph in enumerate(photographs):
        scores = fitted.score([TURNED[flip](photograph), photograph])
        assert scores.patch.max() == 0
        turned, as_it_came = fitted.bank.origins[scores.nearest.reshape(2, h, w)]
        assert (turned[..., 0] == number).all()
        np.testing.assert_array_equal(turned[..., 1:], expected)
        np.testing.assert_array_equal(as_it_came[..., 1:], np.stack(np.mgrid[:h, :w], axis=-1))


def test_places_are_mirrored_back_along_the_right_side_of_a_grid_that_is_not_square():
    wide = np.random.default_rng(0).integers(0, 256, (32, 96), dtype=np.uint8)
    fitted = PatchCore.from_preset("default", [*SMALL, "images.size=[32, 96]", "calibration.holdout=0", ALL]).fit(
        [wide]
    )
    scores = fitted.score([wide[::-1]])
    assert fitted.bank.grid == (4, 12)
    assert fitted.bank.origin(int(scores.nearest.reshape(4, 12)[0, 7])) == ("image 0", 3, 7)


def test_each_photograph_is_read_once_and_scoring_looks_at_it_as_it_is(embedded):
    detector = made(ALL)
    seen = embedded(detector)
    detector.fit(textures(5))
    assert sum(seen) == 5 * 4
    assert max(seen) <= fitting.BATCH
    seen.clear()
    detector.score(textures(3))
    assert seen == [3]


def test_photographs_put_aside_are_not_mirrored_nor_remembered_in_any_way(embedded):
    photographs = textures(10)
    detector = made("images.flips=horizontal", holdout=0.3)
    seen = embedded(detector)
    detector.fit(photographs)
    assert sum(seen) == 7 * 2 + 3
    aside = [one for n, one in enumerate(photographs) if f"image {n}" not in detector.bank.image_names]
    assert len(aside) == 3
    assert detector.score([one[:, ::-1] for one in aside]).patch.min() > 0
    np.testing.assert_array_equal(detector.bank.held_out_scores, detector.score(aside).image)
    assert (detector.report.images, detector.report.held_out, detector.report.rows) == (7, 3, 7 * 2 * 64)
    assert "of 7 images and their mirrored ones" in "\n".join(detector.report.in_words())


def test_without_flips_a_batch_stays_as_it_came():
    pixels, numbers = np.zeros((2, 3, 4, 4), np.float32), np.array([0, 1])
    found = pictures_of(pixels, numbers, ())
    assert found[0] is pixels
    assert found[1] is numbers
    assert answer(made("images.flips=[]").fit(textures(2))) == answer(made().fit(textures(2)))


def test_in_memory_there_is_room_for_exactly_the_pictures_that_come():
    shelf = InMemory(["a", "b", "c"], frozenset({1}), ("horizontal",))
    grids = np.arange(5 * 2 * 3 * 4, dtype=np.float32).reshape(5, 2, 3, 4)
    shelf.add(np.array([0, 0, 1]), grids[:3])
    shelf.add(np.array([2, 2]), grids[3:])
    good = shelf.good_images()
    assert good.embeddings.tobytes() == grids[[0, 1, 3, 4]].tobytes()
    assert good.held_out.tobytes() == grids[2].tobytes()
    assert (good.names, good.held_out_names, good.flips) == (("a", "c"), ("b",), ("horizontal",))
    assert good.embeddings.base.size == grids.size


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("sampler", ["sampler.name=pruned-greedy", "sampler.name=keep-all"])
def test_the_answer_does_not_depend_on_where_embeddings_wait(tmp_path, sampler):
    settings = ["images.flips=horizontal", sampler]
    expected = answer(made(*settings, holdout=0.2).fit(textures(9)))
    assert answer(made(*settings, holdout=0.2).fit(textures(9))) == expected
    assert answer(made(*settings, holdout=0.2).fit(textures(9), store=tmp_path / "store")) == expected
    assert answer(made(*settings, "memory.budget=8 GiB", holdout=0.2).fit(textures(9))) == expected
    remembered, held_out = (tmp_path / "store" / name for name in ("remembered.f32", "held_out.f32"))
    assert remembered.stat().st_size == 7 * 2 * 64 * 152 * 4
    assert held_out.stat().st_size == 2 * 64 * 152 * 4


class StoppedError(Exception):
    """Stands for whatever ends a fit before its time."""


def stopped(store, images, at, *settings, **options):
    def progress(stage, done, total):
        if stage == fitting.READING and done >= at:
            raise StoppedError

    with pytest.raises(StoppedError):
        made(*settings, holdout=0.2).fit(images, store=store, progress=progress, **options)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("at", [2, 6, 9])
def test_a_fit_that_was_stopped_goes_on_where_it_stood(tmp_path, at):
    flips = "images.flips=horizontal"
    stopped(tmp_path, textures(9), at, flips)
    with (tmp_path / "remembered.f32").open("ab") as file:
        file.write(b"\x7f" * 99_999)
    again = made(flips, holdout=0.2).fit(textures(9), store=tmp_path)
    assert again.report.resumed == at
    assert answer(again) == answer(made(flips, holdout=0.2).fit(textures(9)))


@pytest.mark.usefixtures("small_steps")
def test_photographs_that_cannot_be_read_leave_no_gap_among_the_pictures(tmp_path):
    images, flips = textures(9), "images.flips=both"
    for place in (0, 4, 5):
        images.insert(place, UNREADABLE)
    plain = made(flips, holdout=0.2).fit(images, skip_unreadable=True)
    assert plain.report.rows == plain.report.images * 2 * 64
    assert "image 4" not in plain.bank.image_names
    number = plain.bank.image_names.index("image 11")
    nearest = plain.score([images[11][::-1, ::-1]]).nearest
    assert (plain.bank.origins[nearest.ravel()][:, 0] == number).all()
    stopped(tmp_path, images, 6, flips, skip_unreadable=True)
    assert answer(made(flips, holdout=0.2).fit(images, store=tmp_path, skip_unreadable=True)) == answer(plain)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ("images.flips=horizontal", "images.flips=[]", r"images\.flips was \['horizontal'\] there and is \[\] here"),
        ("images.flips=[]", ALL, r"images\.flips was \[\] there and is \['horizontal', 'vertical', 'both'\] here"),
    ],
)
def test_stored_embeddings_of_other_flips_are_refused(tmp_path, before, now, reason):
    stopped(tmp_path, textures(4), 2, before)
    with pytest.raises(StoreError, match=reason):
        made(now, holdout=0.2).fit(textures(4), store=tmp_path)


def test_progress_counts_photographs():
    heard = []
    made(ALL).fit(textures(5), progress=lambda *what: heard.append(what))
    assert [what[1:] for what in heard if what[0] == fitting.READING] == [(0, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("flips", ["images.flips=vertical", ALL])
@pytest.mark.parametrize("sampler", ["sampler.name=pruned-greedy", "sampler.name=keep-all"])
def test_a_plan_counts_mirrored_pictures_as_the_fit_does(tmp_path, flips, sampler):
    plan = plan_fit(textures(10), made(flips, sampler, holdout=0.2), model=tmp_path / "m")
    fitted = made(flips, sampler, holdout=0.2).fit(textures(10), store=tmp_path / "store")
    report, sizes = fitted.report, plan.sizes
    assert (sizes.images, sizes.held_out, sizes.rows) == (report.images, report.held_out, report.rows)
    assert plan.bank_rows == len(fitted.bank)
    assert sizes.embedding_bytes == sum(file.stat().st_size for file in (tmp_path / "store").glob("*.f32"))


def test_a_plan_measures_mirrored_pictures_and_says_how_many_there_are(tmp_path, monkeypatch):
    measure = planning._embedded_sample
    monkeypatch.setattr(planning, "_embedded_sample", lambda *asked: (measure(*asked)[0], 1.0))
    plan = plan_fit(textures(10), made(ALL, holdout=0.2), model=tmp_path / "m")
    assert (plan.sample_images, plan.sample_rows) == (10, 10 * 4 * 64)
    assert plan.seconds["embedding"] == pytest.approx(8 + 2 / 4)  # a photograph put aside takes a quarter of the time
    assert "8 to choose from (and 24 mirrored), 2 put aside" in "\n".join(plan.in_words())


def test_cleaning_moves_a_photograph_with_its_mirrored_pictures():
    images = parts(10)
    images[3] = np.full((SIDE, SIDE), 200, np.uint8)  # the same in every mirror: only a bank without it finds it odd
    found = made(ALL, "cleaning.drop=0.1").fit(images)
    assert found.report.left_out == ("image 3",)
    alone = made(ALL).fit([one for number, one in enumerate(images) if number != 3])
    np.testing.assert_array_equal(found.bank.embeddings, alone.bank.embeddings)
    np.testing.assert_array_equal(found.bank.origins, alone.bank.origins)


@pytest.mark.parametrize("asked", [["both"], ["vertical", "horizontal"], []])
def test_flips_survive_files_dicts_and_json(tmp_path, asked):
    file = tmp_path / "mine.toml"
    file.write_text(f"[images]\nflips = {json.dumps(asked)}\n")
    settings = load_settings(file)
    assert settings.images.flips == tuple(asked)
    assert settings.to_dict()["images"]["flips"] == asked
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    assert load_settings({"images": {"flips": tuple(asked)}}) == settings


def test_one_flip_needs_no_list_and_an_empty_list_takes_flips_back():
    assert load_settings(overrides=["images.flips=both"]).images.flips == ("both",)
    assert load_settings(overrides=[ALL]).images.flips == ("horizontal", "vertical", "both")
    assert load_settings({"images": {"flips": ["both"]}}, overrides=["images.flips=[]"]).images.flips == ()


@pytest.mark.parametrize(
    "bad", ["left", ["horizontal", "left"], ["both", "both"], True, None, 3, [["both"]], {"a": 1}, ""]
)
def test_what_is_no_flip_is_refused(bad):
    with pytest.raises(ConfigError, match=r'images\.flips is .* but a list of "horizontal", "vertical" and "both"'):
        load_settings({"images": {"flips": bad}})


def test_a_model_says_how_it_was_fitted_and_one_from_before_there_were_flips_can_be_read(tmp_path):
    fitted = made("images.flips=both").fit(textures(2))
    fitted.save(tmp_path / "new")
    again = PatchCore.load(tmp_path / "new")
    assert again.settings.images.flips == ("both",)
    assert again.bank.settings["images"]["flips"] == ["both"]
    assert again.bank.origins.tobytes() == fitted.bank.origins.tobytes()
    images = {name: value for name, value in fitted.bank.settings["images"].items() if name != "flips"}
    write_bank(tmp_path / "old", replace(fitted.bank, settings={**fitted.bank.settings, "images": images}))
    old = PatchCore.load(tmp_path / "old")
    assert old.settings.images.flips == ()
    assert old.score(textures(1, seed=5)).image == fitted.score(textures(1, seed=5)).image
