"""A fit whose embeddings wait on disk: the same answer as in memory, whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from solar_cells import cells

from patchcore_plugin import PatchCore, detector, disk_space, fit_store, fitting
from patchcore_plugin.disk_space import MARGIN
from patchcore_plugin.embedding_store import EmbeddingStore
from patchcore_plugin.errors import ConfigError, ImageError, NoImagesError, OutputError, StoreError
from patchcore_plugin.fit_store import remove_store, stored_bytes
from patchcore_plugin.good_images import InMemory
from patchcore_plugin.memory_budget import LEAST, SLACK, Budget, resident_bytes

SMALL = ["images.size=64", "sampler.keep=0.1", "calibration.holdout=0.2"]


@pytest.fixture(scope="module")
def good():
    return cells(0.0, 12)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch):
    """Several batches of few images, each of them flushed, so that there are places to stop at."""
    monkeypatch.setattr(fitting, "BATCH", 3)
    monkeypatch.setattr(detector, "BATCH", 3)
    monkeypatch.setattr(fit_store, "SECONDS_BETWEEN_SYNCS", 0.0)


def small(*more):
    return PatchCore.from_preset("default", [*SMALL, *more])


def answer(fitted):
    """Everything a fit decides, as bytes."""
    bank = fitted.bank
    arrays = (bank.embeddings, bank.origins, bank.held_out_scores)
    return (*(array.tobytes() for array in arrays), bank.image_names, bank.grid, json.dumps(bank.settings))


@pytest.fixture(scope="module")
def expected(good):
    return answer(small().fit(good))


class StoppedError(Exception):
    """Stands for whatever ends a fit before its time."""


def stop_after(images):
    def progress(stage, done, total):
        if stage == fitting.READING and done >= images:
            raise StoppedError

    return progress


def stopped(store, images, at, *settings, **options):
    with pytest.raises(StoppedError):
        small(*settings).fit(images, store=store, progress=stop_after(at), **options)


class EveryNinth:
    """A sampler that works on parts of the rows, and says what it was given."""

    def __init__(self, given):
        self.given = given

    def select_with_report(self, embeddings, *, progress=None, memory=None):
        self.given.append((embeddings, memory))
        return Chosen(np.arange(0, len(embeddings), 9))

    def select(self, embeddings, progress=None, memory=None):
        return self.select_with_report(embeddings, progress=progress, memory=memory).rows


@dataclass(frozen=True)
class Chosen:
    rows: np.ndarray

    @property
    def facts(self):
        return {"batches": 1, "share_cut": {"16 values": 0.9}, "radius": 1.5}


def with_every_ninth(*settings):
    made = small(*settings)
    sampler = EveryNinth([])
    made.parts = replace(made.parts, sampler=sampler)
    return made, sampler.given


@pytest.mark.parametrize("settings", [(), ("memory.budget=8 GiB",)])
@pytest.mark.parametrize("named", [True, False])
def test_the_answer_does_not_depend_on_where_embeddings_wait(good, expected, tmp_path, settings, named):
    fitted = small(*settings).fit(good, store=tmp_path / "store" if named else None)
    assert answer(fitted) == expected
    assert (tmp_path / "store").exists() == named


def test_a_stream_of_rows_gives_the_same_answer_as_an_array(good, tmp_path):
    plain, _ = with_every_ninth()
    stored, given = with_every_ninth("memory.budget=8 GiB")
    assert answer(plain.fit(good)) == answer(stored.fit(good, store=tmp_path / "store"))
    assert isinstance(given[0][0], EmbeddingStore)


def test_in_memory_all_embeddings_are_one_array():
    shelf = InMemory(["a", "b", "c", "d"], frozenset({1, 2}))
    grids = np.arange(4 * 2 * 3 * 5, dtype=np.float32).reshape(4, 2, 3, 5)
    shelf.add(np.array([0, 1]), grids[:2])
    shelf.add(np.array([3]), grids[3:])
    good = shelf.good_images()
    assert good.embeddings.base is good.held_out.base
    assert (good.names, good.held_out_names, good.grid) == (("a", "d"), ("b",), (2, 3))
    assert good.embeddings.tobytes() == grids[[0, 3]].tobytes()
    assert [(patches.tobytes(), names) for patches, names in good.held_out_batches(2)] == [(grids[1].tobytes(), ("b",))]


@pytest.mark.parametrize("at", [3, 6, 9, 12])
def test_a_fit_that_was_stopped_goes_on_where_it_stood(good, expected, tmp_path, at):
    stopped(tmp_path, good, at)
    again = small().fit(good, store=tmp_path)
    assert answer(again) == expected
    assert again.report.resumed == at


def test_what_is_stored_is_not_embedded_again(good, tmp_path, monkeypatch):
    small().fit(good, store=tmp_path)
    again = small()
    seen = []
    extract = type(again.parts.extractor).extract
    monkeypatch.setattr(
        type(again.parts.extractor), "extract", lambda self, pixels: seen.append(len(pixels)) or extract(self, pixels)
    )
    again.fit(good, store=tmp_path)
    assert seen == [1]  # the blank image that tells the sizes


def test_rows_that_a_killed_fit_left_half_written_are_dropped(good, expected, tmp_path):
    stopped(tmp_path, good, 6)
    for name in ("remembered.f32", "held_out.f32"):
        with (tmp_path / name).open("ab") as file:
            file.write(b"\x7f" * 9_999)
    (tmp_path / ".done.json.x.part").write_text("{")
    assert answer(small().fit(good, store=tmp_path)) == expected
    assert not list(tmp_path.glob(".*"))


def test_what_a_killed_sampler_left_is_removed(good, expected, tmp_path):
    stopped(tmp_path, good, 6)
    left = tmp_path / "short-1.scratch"
    left.write_bytes(b"\x7f" * 9_999)
    assert stored_bytes(tmp_path) >= 9_999
    assert answer(small().fit(good, store=tmp_path)) == expected
    assert not left.exists()
    left.touch()
    remove_store(tmp_path)
    assert not tmp_path.exists()


def test_the_room_that_the_sampler_needs_is_asked_for_with_that_of_the_embeddings(tmp_path, monkeypatch):
    (tmp_path / "broken.png").write_bytes(b"no image")
    images, embeddings, short = [tmp_path / "broken.png"] * 10, 10 * 64 * 152 * 4, 8 * 64 * 49 * 4
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(Budget, "left", lambda self: SLACK + 10_000 if self.bytes else None)
    monkeypatch.setattr(Budget, "require_fit", lambda *_: None)
    for free, error in ((embeddings + short, ImageError), (embeddings + short - 1, OutputError)):
        monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _, f=free + MARGIN: usage._replace(free=f))
        with pytest.raises(error):
            small("memory.budget=1 GiB").fit(images, store=tmp_path / f"store{free}")


def test_within_little_memory_short_vectors_wait_beside_the_embeddings(good, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(Budget, "left", lambda self: 20_000 if self.bytes else None)
    monkeypatch.setattr(Budget, "require_fit", lambda *_: None)
    seen = set()

    def look(stage, done, total):
        seen.update(path.stat().st_size for path in tmp_path.glob("*.scratch"))

    fitted = small("memory.budget=1 GiB").fit(good, store=tmp_path, progress=look)
    assert answer(fitted) == expected
    assert 0 < max(seen) <= fitted.parts.sampler.disk_bytes(fitted.report.rows, 152, 20_000)
    assert not list(tmp_path.glob("*.scratch"))


def test_a_fit_that_was_killed_before_its_first_note_begins_anew(good, expected, tmp_path):
    stopped(tmp_path, good, 6)
    (tmp_path / "done.json").unlink()
    assert answer(small().fit(good, store=tmp_path)) == expected


def test_images_that_cannot_be_read_are_left_out_once_and_for_all(good, tmp_path):
    images = [*good]
    for place in (0, 4, 5, 11):
        broken = tmp_path / f"broken{place}.png"
        broken.write_bytes(b"no image")
        images.insert(place, broken)
    plain = answer(small().fit(images, skip_unreadable=True))
    stopped(tmp_path / "store", images, 7, skip_unreadable=True)
    assert answer(small().fit(images, store=tmp_path / "store", skip_unreadable=True)) == plain
    with pytest.raises(ImageError, match=r"left out .*broken0\.png.*skip_unreadable"):
        small().fit(images, store=tmp_path / "store")


def test_an_image_that_stopped_the_fit_can_be_repaired(good, expected, tmp_path):
    images = [tmp_path / path.name for path in good]
    for path, image in zip(good, images, strict=True):
        shutil.copy(path, image)
    images[8].write_bytes(b"no image")
    with pytest.raises(ImageError, match=images[8].name):
        small().fit(images, store=tmp_path / "store")
    shutil.copy(good[8], images[8])
    again = small().fit(images, store=tmp_path / "store")
    assert answer(again)[:3] == expected[:3]
    assert again.report.resumed == 6


def touched(images):
    os.utime(images[1], ns=(0, 0))
    return images


@pytest.mark.parametrize(
    ("settings", "change", "reason"),
    [
        (["extractor.layers=['blocks.2']"], list, r"extractor\.layers was \['blocks\.2', 'blocks\.4'\] there and is"),
        (["images.size=[64, 32]"], list, r"images\.size was \[64, 64\] there and is \[64, 32\] here"),
        (["images.mean=[0.4, 0.5, 0.5]"], list, r"images\.mean"),
        (["aggregator.patch_size=5"], list, r"aggregator\.patch_size was 3 there and is 5 here"),
        (["calibration.seed=7"], list, r"calibration\.seed was 0 there and is 7 here"),
        ([], lambda images: images[:-1], "begun with 6 images, and 5 are given"),
        ([], lambda images: images[::-1], r"image 0 was .*a0\.png there and is .*a5\.png here"),
        ([], touched, r"a1\.png was changed since"),
    ],
)
def test_embeddings_of_another_fit_are_refused_with_the_reason(good, tmp_path, settings, change, reason):
    images = [tmp_path / f"a{number}.png" for number in range(6)]
    for path, image in zip(good, images, strict=False):
        shutil.copy(path, image)
    store = tmp_path / "store"
    stopped(store, images, 3)
    before = {file.name: file.read_bytes() for file in store.iterdir()}
    with pytest.raises(StoreError, match=f"(?s){reason}.*Delete the folder"):
        small(*settings).fit(change(images), store=store)
    assert {file.name: file.read_bytes() for file in store.iterdir()} == before


def test_what_does_not_decide_the_embeddings_may_change(good, tmp_path):
    stopped(tmp_path, good, 6)
    other = ["sampler.keep=0.3", "calibration.false_alarm_rate=0.2", "scoring.sigma=1"]
    assert answer(small(*other).fit(good, store=tmp_path)) == answer(small(*other).fit(good))


def test_arrays_are_told_apart_by_what_they_hold(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (6, 40, 40), dtype=np.uint8)
    plain = answer(small().fit(images))
    stopped(tmp_path, images, 3)
    other = images.copy()
    other[0, 0, 0] ^= 1
    with pytest.raises(StoreError, match="image 0 was changed"):
        small().fit(other, store=tmp_path)
    assert answer(small().fit([Image.fromarray(image) for image in images], store=tmp_path)) == plain


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("manifest.json", lambda text: text[:50], "damaged"),
        ("manifest.json", lambda text: text.replace('"width": 152', '"width": 151'), "altered"),
        ("manifest.json", lambda text: text.replace('"format_version": 1', '"format_version": 2'), "format 2"),
        ("manifest.json", lambda text: '{"format": "another"}', "not written by"),
        ("done.json", lambda text: '{"images": 99, "left_out": []}', "damaged"),
        ("done.json", lambda text: "", "damaged"),
    ],
)
def test_a_damaged_store_is_refused(good, tmp_path, file, damage, words):
    stopped(tmp_path, good, 6)
    (tmp_path / file).write_text(damage((tmp_path / file).read_text()))
    with pytest.raises(StoreError, match=words):
        small().fit(good, store=tmp_path)


def test_rows_that_are_missing_are_noticed(good, tmp_path):
    stopped(tmp_path, good, 6)
    with (tmp_path / "remembered.f32").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(StoreError, match=r"remembered\.f32 is damaged"):
        small().fit(good, store=tmp_path)


def test_a_folder_with_other_things_in_it_is_left_alone(good, tmp_path):
    (tmp_path / "photo.png").write_bytes(b"precious")
    for work in (lambda: small().fit(good, store=tmp_path), lambda: remove_store(tmp_path)):
        with pytest.raises(OutputError, match=r"photo\.png"):
            work()
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.png"]
    with pytest.raises(OutputError, match="is a file"):
        small().fit(good, store=tmp_path / "photo.png")


def test_a_store_in_use_is_refused(good, expected, tmp_path):
    refused = []

    def meanwhile(stage, done, total):
        if stage == fitting.READING and done == 6:
            for work in (lambda: small().fit(good, store=tmp_path), lambda: remove_store(tmp_path)):
                with pytest.raises(StoreError, match="in use by another fit"):
                    work()
                refused.append(work)

    assert answer(small().fit(good, store=tmp_path, progress=meanwhile)) == expected
    assert len(refused) == 2
    assert answer(small().fit(good, store=tmp_path)) == expected


def test_removing_a_store_leaves_nothing_and_twice_does_no_harm(good, tmp_path):
    small().fit(good, store=tmp_path / "store")
    remove_store(tmp_path / "store")
    remove_store(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_too_small_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    (tmp_path / "broken.png").write_bytes(b"no image")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda path: usage._replace(free=2**20))
    with pytest.raises(OutputError, match=r"(?s)MiB are needed.*1\.0 MiB are free.*choose another place"):
        small().fit([tmp_path / "broken.png"] * 40, store=tmp_path / "store")


def test_a_disk_that_fills_on_the_way_keeps_what_is_complete(good, expected, tmp_path, monkeypatch):
    append, left = EmbeddingStore.append, [3]

    def full(self, rows):
        left[0] -= 1
        if left[0] < 0:
            raise self._unwritable(OSError(28, "No space left on device"))
        append(self, rows)

    monkeypatch.setattr(EmbeddingStore, "append", full)
    with pytest.raises(OutputError, match="No space left"):
        small().fit(good, store=tmp_path)
    monkeypatch.setattr(EmbeddingStore, "append", append)
    again = small().fit(good, store=tmp_path)
    assert again.report.resumed > 0
    assert answer(again) == expected


def test_without_a_named_folder_nothing_is_left_behind(good, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    places = []
    made, given = with_every_ninth("memory.budget=8 GiB")
    made.fit(good, progress=lambda *_: places.extend(tmp_path.iterdir()))
    assert places
    assert given[0][0].path.parent == places[0]
    assert list(tmp_path.iterdir()) == []


def test_a_sampler_that_works_on_parts_is_told_what_is_left_of_the_budget(good):
    made, given = with_every_ninth("memory.budget=8 GiB")
    made.fit(good)
    memory = given[0][1]
    assert 0 < memory < 8 * 2**30 - resident_bytes() / 2
    made, given = with_every_ninth()
    made.fit(good)
    assert given[0][1] is None


def test_a_budget_that_the_sampler_cannot_keep_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    held = resident_bytes()
    greedy = "sampler.name=numba-greedy"  # needs all rows in memory
    few = small(greedy, f"memory.budget={held + 100 * 2**20}", "images.size=224", "sampler.keep=0.001")
    with pytest.raises(ConfigError, match=r"MiB are needed for 627,200 rows of 152 values.*pruned-greedy"):
        few.fit([tmp_path / "broken.png"] * 1000)
    with pytest.raises(ConfigError, match=r"Raise memory\.budget"):
        with_every_ninth(f"memory.budget={held}")[0].fit([tmp_path / "broken.png"])
    many = small(greedy, f"memory.budget={held + 250 * 2**20}", "sampler.keep=0.9", "images.size=224")
    with pytest.raises(ConfigError, match="Keep fewer rows than 225,792"):
        many.fit([tmp_path / "broken.png"] * 400)


def test_a_sampler_that_keeps_every_row_is_refused_where_the_bank_does_not_fit(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    budget = f"memory.budget={resident_bytes() + 250 * 2**20}"
    with pytest.raises(ConfigError, match=r"(?s)'keep-all' remembers all of them.*pruned-greedy.*memory\.budget to"):
        PatchCore.from_preset("default", ["sampler.name=keep-all", budget]).fit([tmp_path / "broken.png"] * 1000)


@pytest.mark.parametrize("name", ["random", "keep-all"])
def test_samplers_that_only_count_rows_work_within_a_budget(good, name):
    within, free = (
        PatchCore.from_preset("default", ["images.size=64", f"sampler.name={name}", *budget])
        for budget in (["memory.budget=8 GiB"], [])
    )
    assert answer(within.fit(good)) == answer(free.fit(good))


def test_what_choosing_takes_at_least_is_part_of_the_budget(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    budget = f"memory.budget={resident_bytes() + SLACK + LEAST + 20 * 2**20}"
    with pytest.raises(ImageError):  # there is room enough for 400 images
        small(budget, "images.size=224", "sampler.count=100").fit([tmp_path / "broken.png"] * 400)
    with pytest.raises(ConfigError, match=r"Raise memory\.budget"):
        small(budget, "images.size=224", "sampler.count=100").fit([tmp_path / "broken.png"] * 10_000)


def test_the_report_tells_what_was_done_and_how_long_it_took(good):
    made, _ = with_every_ninth()
    report = made.fit(good).report
    rows = 10 * 64
    assert (report.images, report.held_out, report.rows, report.width) == (10, 2, rows, 152)
    assert report.bank_rows == len(made.bank) == -(-rows // 9)
    assert list(report.seconds) == ["embedding", "choosing", "calibrating"]
    words = "\n".join(report.in_words())
    for part in ("640 patches of 10 images", "batches", "share cut", "16 values: 0.9", "1.5", "choosing", "embedding"):
        assert part in words


def test_a_loaded_detector_has_no_report(good, tmp_path):
    made = small()
    assert made.report is None
    made.fit(good).save(tmp_path / "m")
    assert PatchCore.load(tmp_path / "m").report is None


def test_when_no_image_is_left_to_learn_from_it_is_said(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    for store in (None, tmp_path / "store"):
        with pytest.raises(NoImagesError, match="none of the"):
            small().fit([tmp_path / "broken.png"] * 3, skip_unreadable=True, store=store)


CHILD = """
import hashlib, os, signal, sys, threading, time
from patchcore_plugin import PatchCore, detector, fit_store, fitting

detector.BATCH = fitting.BATCH = 2
fit_store.SECONDS_BETWEEN_SYNCS = 0.0
store, seconds, *images = sys.argv[1:]
made = PatchCore.from_preset("default", ["images.size=96", "sampler.keep=0.05", "calibration.holdout=0.2"])
made.warm_up()
if float(seconds):
    threading.Timer(float(seconds), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
started = time.perf_counter()
bank = made.fit(images, store=store).bank
parts = (bank.embeddings, bank.origins, bank.held_out_scores)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), time.perf_counter() - started)
os._exit(0)
"""


def child(store, seconds, images):
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(store), str(seconds), *map(str, images)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_a_fit_killed_twenty_times_at_random_moments_ends_in_the_same_bank(tmp_path):
    images = cells(0.0, 40)
    whole = child(tmp_path / "whole", 0, images)
    assert whole.returncode == 0, whole.stderr
    expected, seconds = whole.stdout.split()
    moments = np.random.default_rng(0)
    kills = resumed = 0
    while kills < 20:
        run = child(tmp_path / "store", moments.uniform(0.02, 0.6) * float(seconds), images)
        if run.returncode == 0:
            assert run.stdout.split()[0] == expected
            remove_store(tmp_path / "store")
            continue
        assert run.returncode == -signal.SIGKILL, run.stderr
        kills += 1
        resumed += (tmp_path / "store" / "done.json").exists()
    assert resumed > 5
    last = child(tmp_path / "store", 0, images)
    assert last.stdout.split()[:1] == [expected], last.stderr


FRUGAL = """
import hashlib, sys
from patchcore_plugin import PatchCore
from patchcore_plugin.config import MemorySettings
from peak_memory import peak_bytes

budget, store, *images = sys.argv[1:]
made = PatchCore.from_preset("default", ["sampler.name=pruned-greedy", "sampler.keep=0.005"])
made.warm_up()
limit = peak_bytes() + int(budget)
made = PatchCore(made.settings.model_copy(update={"memory": MemorySettings(budget=limit if int(budget) else None)}))
bank = made.fit(images, store=store or None).bank
parts = (bank.embeddings, bank.origins, bank.held_out_scores)
print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest(), peak_bytes(), limit)
"""


@pytest.mark.long
def test_a_fit_within_a_budget_holds_it_and_finds_what_one_without_finds(tmp_path):
    """273 MiB of embeddings within 160 MiB beyond what the program takes by itself."""

    def run(budget, store):
        tests = str(Path(__file__).parents[1])
        code = f"import sys; sys.path.insert(0, {tests!r})\n{FRUGAL}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(budget), store, *map(str, cells(0.0, 100) * 6)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        bank, peak, limit = done.stdout.split()
        return bank, int(peak), int(limit)

    bank, peak, limit = run(160 * 2**20, str(tmp_path))
    free_bank, free_peak, _ = run(0, "")
    assert bank == free_bank
    assert peak <= limit < free_peak
