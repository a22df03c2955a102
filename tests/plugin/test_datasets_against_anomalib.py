"""The same trees read by anomalib, written by others: the same images on the same sides, with the same masks.

anomalib's reader of MVTec LOCO AD stops with an error of pandas 3, so that layout is not compared here.
"""

from __future__ import annotations

import json
import warnings

import made_up_datasets as made_up
import pytest

from patchcore_plugin.datasets import GOOD, open_dataset

pytestmark = pytest.mark.long  # brings anomalib, which takes its time


@pytest.fixture(scope="module")
def readers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anomalib imports modules that it and others have deprecated
        from anomalib.data.datasets.image import btech, mvtecad, mvtecad2, realiad
    return {
        "btad": btech.make_btech_dataset,
        "mvtec": lambda folder: mvtecad.make_mvtec_ad_dataset(folder, extensions=(".png",)),
        "mvtec-ad2": mvtecad2.make_mvtec2_dataset,
        "real-iad": realiad.make_realiad_dataset,
    }


def theirs(frame):
    """Their images by side, each with whether it is bad and its masks."""
    answer = {"train": set(), "val": set(), "test": set()}
    for row in frame.itertuples():
        masks = row.mask_path if isinstance(row.mask_path, list) else [row.mask_path] * bool(row.mask_path)
        bad = bool(row.label_index)
        answer[row.split].add((str(row.image_path), bad, tuple(sorted(map(str, masks))) if bad else ()))
    return answer


def ours(split):
    return {
        "train": {(str(path), False, ()) for path in split.fit},
        "val": {(str(path), False, ()) for path in split.calibrate},
        "test": {(str(one.path), one.kind != GOOD, tuple(map(str, one.masks))) for one in split.test},
    }


@pytest.mark.parametrize(
    ("layout", "category", "make"),
    [
        ("mvtec", "bottle", lambda root: made_up.mvtec(root, "bottle")),
        ("mvtec-ad2", "can", lambda root: made_up.mvtec_ad2(root, "can")),
        ("btad", "02", made_up.btad),
    ],
)
def test_folders_are_read_alike(layout, category, make, readers, tmp_path):
    root = make(tmp_path)
    assert ours(open_dataset(layout, root).split(category, seed=0)) == theirs(readers[layout](root / category))


def test_real_iad_is_read_alike_but_for_defects_that_do_not_show(readers, tmp_path):
    root = made_up.real_iad(tmp_path, "audiojack")
    content = json.loads((root / "realiad_jsons" / "audiojack.json").read_text())
    frame = readers["real-iad"](root / "realiad_1024" / "audiojack", metadata=content)
    mine, other = ours(open_dataset("real-iad", root).split("audiojack", seed=0)), theirs(frame)
    assert mine["train"] == other["train"]
    # anomalib calls an image bad whose list names a defect but no mask; the authors' own code calls it good.
    assert {path for path, bad, masks in mine["test"] ^ other["test"]} == {
        path for path, bad, masks in other["test"] if bad and not masks
    }
    assert len(mine["test"] ^ other["test"]) == 2
