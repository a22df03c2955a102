from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from made_up_records import identity, record, seen

from patchcore_plugin.benchmark.ledger import Ledger, identity_of
from patchcore_plugin.benchmark.protocol import Configuration, Protocol, Run
from patchcore_plugin.config import load_settings
from patchcore_plugin.datasets.split import Split, TestImage
from patchcore_plugin.errors import NoImagesError, StoreError
from patchcore_plugin.parts import create_parts

if TYPE_CHECKING:
    from pathlib import Path


def finished(**names):
    return record([*seen("crack", [9, 4]), *seen("good", [1, 6])], pixels=0.75, **names)


def test_a_finished_run_comes_back_as_it_was(tmp_path):
    ledger, done = Ledger(tmp_path / "runs"), finished(seed=3, shots=5)
    ledger.add(done)
    assert ledger.find(done.identity) == done


def test_runs_stand_in_files_that_people_can_tell_apart(tmp_path):
    ledger = Ledger(tmp_path)
    for one in (finished(), finished(seed=1), finished(shots=5), finished(category="a/b")):
        ledger.add(one)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a%2Fb__default__all__seed-0.json",
        "tile__default__5-images__seed-0.json",
        "tile__default__all__seed-0.json",
        "tile__default__all__seed-1.json",
    ]


def test_a_run_that_was_never_done_is_not_there(tmp_path):
    assert Ledger(tmp_path).find(identity()) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"versions": {"patchcore-plugin": "9.9"}}, r"versions: patchcore-plugin: '0.1.0' there, '9.9' here"),
        ({"settings": {"calibration": {"holdout": 0.1}}}, r"settings: calibration: holdout: 0.0 there, 0.1 here"),
        ({"layout": "mtd"}, r"layout: 'made-up' there, 'mtd' here"),
    ],
)
def test_a_run_of_other_conditions_is_refused_with_what_differs(tmp_path, changed, said):
    Ledger(tmp_path).add(finished())
    with pytest.raises(StoreError, match=rf"a run of other conditions: {said}.*another --out"):
        Ledger(tmp_path).find(identity(**changed))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda text: text[: len(text) // 2], "is damaged: JSONDecodeError"),
        (lambda text: text.replace('"score": 9.0', '"score": 1.0'), "was altered"),
        (lambda text: text.replace('"format_version": 1', '"format_version": 2'), "no run that this version wrote"),
        (lambda text: json.dumps({**json.loads(text), "run": {}}), "is damaged: KeyError"),
        (lambda text: "[]", "is damaged: TypeError"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused(tmp_path, wrong, said):
    ledger = Ledger(tmp_path)
    ledger.add(finished())
    (path,) = tmp_path.iterdir()
    path.write_text(wrong(path.read_text()))
    with pytest.raises(StoreError, match=said):
        ledger.find(identity())


class Tiles:
    """Three files in a folder, as a data set."""

    layout, categories, has_masks, notes = "made-up", ("tile",), True, ()

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(exist_ok=True)
        for name in "abcm":
            if not (root / name).exists():
                (root / name).write_text(name)

    def split(self, category, seed):
        a, b, c, m = (self.root / name for name in "abcm")
        return Split(category, (a,), (), (TestImage(b, "good"), TestImage(c, "crack", (m,))))


def identity_in(root, *, overrides=(), seed=0):
    settings = load_settings(overrides=overrides)
    data = Tiles(root)
    protocol = Protocol(data, ("tile",), (Configuration("default", settings),), (0,), (None,), pixels=True)
    run = Run("tile", protocol.configurations[0], None, seed)
    return identity_of(run, protocol, protocol.split(run), create_parts(run.configuration.for_seed(seed)))


def test_what_decides_a_run_survives_that_the_data_set_is_copied_elsewhere(tmp_path):
    before = identity_in(tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    assert identity_in(tmp_path / "there") == before


def test_settings_seed_and_images_decide_a_run(tmp_path):
    found = [identity_in(tmp_path / "here"), identity_in(tmp_path / "here", overrides=["sampler.keep=0.5"])]
    found.append(identity_in(tmp_path / "here", seed=1))
    for name in "abcm":
        (tmp_path / "here" / name).write_text("longer than before")
        found.append(identity_in(tmp_path / "here"))
    assert len({json.dumps(one, sort_keys=True) for one in found}) == len(found)


def test_an_image_that_vanished_is_named(tmp_path):
    tiles = Tiles(tmp_path / "here")
    split = tiles.split("tile", 0)
    protocol = Protocol(tiles, ("tile",), (Configuration("default", load_settings()),), (0,), (None,), pixels=True)
    (tmp_path / "here" / "c").unlink()
    with pytest.raises(NoImagesError, match=r"here/c cannot be read"):
        identity_of(Run("tile", protocol.configurations[0], None, 0), protocol, split, create_parts(load_settings()))
