from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from patchcore_plugin.calibration import Calibration
from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ImageError, InputError, NoImagesError, ShapeError
from patchcore_plugin.evaluation import defect_mask, evaluated, labelled_folder, mask_files
from patchcore_plugin.metrics import aupro, pixel_average_precision
from patchcore_plugin.scores import Scores

IMAGE_FIGURES = ["image_auroc", "average_precision", "best_f1", "best_f1_threshold"]
PIXEL_FIGURES = ["pixel_auroc", "pixel_average_precision", "aupro_0.3", "aupro_0.05"]


def put(path, size=(8, 8), value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, value, np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    for name in ("good/1.png", "good/2.png", "good/10.png", "crack/1.png", "crack/2.png", "dent/1.png"):
        put(tmp_path / "test" / name)
    return tmp_path / "test"


def scores_of(image, patch=None, calibration=None):
    image = np.asarray(image, dtype=np.float64)
    grid = np.zeros((len(image), 2, 2), np.float32) if patch is None else patch
    return Scores(
        names=tuple(map(str, range(len(image)))),
        image=image,
        patch=grid,
        nearest=np.zeros(grid.shape, np.int64),
        sizes=np.full((len(image), 2), 8),
        settings=load_settings(overrides=["images.size=8", "scoring.sigma=0"]),
        calibration=calibration,
    )


def test_folders_are_labels(folder):
    labelled = labelled_folder(folder)
    assert labelled.kinds == ("crack", "crack", "dent", "good", "good", "good")
    assert [path.name for path in labelled.paths] == ["1.png", "2.png", "1.png", "1.png", "2.png", "10.png"]
    assert labelled.bad.tolist() == [True, True, True, False, False, False]


def test_each_defect_is_judged_against_all_good_images(folder):
    evaluation = evaluated(scores_of([5, 1, 4, 2, 3, 0]), labelled_folder(folder))
    assert evaluation.by_defect == {"crack": pytest.approx(4 / 6), "dent": 1.0}
    assert evaluation.figures["image_auroc"] == pytest.approx(7 / 9)
    assert (evaluation.good, evaluation.bad) == (3, 3)


def test_a_calibrated_detector_is_also_judged_at_its_own_threshold(folder):
    calibration = Calibration(np.array([2.5]))
    figures = evaluated(scores_of([5, 1, 4, 2, 3, 0], calibration=calibration), labelled_folder(folder)).figures
    assert figures["found_at_threshold"] == pytest.approx(2 / 3)
    assert figures["false_alarms_at_threshold"] == pytest.approx(1 / 3)
    assert "threshold" not in evaluated(scores_of([5, 1, 4, 2, 3, 0]), labelled_folder(folder)).figures


def write_masks(masks, images=("crack/1_mask.png", "crack/2.png", "dent/1_mask.png")):
    """The upper left corner of each defective image, a row more or less."""
    for number, name in enumerate(images):
        mask = np.zeros((8, 8), np.uint8)
        mask[: 3 + number % 2, :3] = 255
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / name)
    return masks


def hot_corner():
    """Patch scores that are high in the upper left quarter of each defective image."""
    hot = np.zeros((6, 2, 2), np.float32)
    hot[:3, 0, 0] = 1
    return hot


def test_masks_add_the_pixel_figures_after_those_of_images(folder, tmp_path):
    labelled, masks, hot = labelled_folder(folder), write_masks(tmp_path / "masks"), hot_corner()
    right = evaluated(scores_of(range(6), hot), labelled, masks).figures
    wrong = evaluated(scores_of(range(6), hot[:, ::-1, ::-1].copy()), labelled, masks).figures
    assert list(right) == [*IMAGE_FIGURES, *PIXEL_FIGURES]
    assert list(evaluated(scores_of(range(6)), labelled).figures) == IMAGE_FIGURES
    assert right["pixel_auroc"] > 0.95
    assert wrong["pixel_auroc"] < 0.6
    for name in PIXEL_FIGURES:
        assert right[name] > wrong[name]


def test_pixel_figures_are_those_of_the_maps_and_masks(folder, tmp_path):
    scores, masks = scores_of(range(6), hot_corner()), write_masks(tmp_path / "masks")
    figures = evaluated(scores, labelled_folder(folder), masks).figures
    truth = np.zeros((6, 8, 8), bool)
    truth[0, :3, :3] = truth[1, :4, :3] = truth[2, :3, :3] = True
    assert figures["pixel_average_precision"] == pixel_average_precision(truth, scores.maps)
    assert figures["aupro_0.05"] == aupro(truth, scores.maps, 0.05)


def test_the_image_auroc_comes_with_its_interval_in_words_and_in_json(folder):
    evaluation = evaluated(scores_of([5, 1, 4, 2, 3, 0]), labelled_folder(folder))
    low, high = evaluation.intervals["image_auroc"]
    assert 0 <= low < 7 / 9 < high <= 1
    lines = evaluation.in_words()
    assert lines[:2] == [
        "3 good and 3 defective images",
        f"image auroc                0.7778 (95 %: {low:.3f} to {high:.3f})",
    ]
    assert json.loads(evaluation.to_json())["intervals"] == {"image_auroc": [low, high]}
    assert [line.split("  ")[0] for line in lines if "95 %" in line] == ["image auroc"]
    assert evaluated(scores_of([5, 1, 4, 2, 3, 0]), labelled_folder(folder)) == evaluation


def test_an_interval_without_width_is_not_sold_as_certainty(folder):
    perfect = evaluated(scores_of([5, 4, 3, 2, 1, 0]), labelled_folder(folder))
    assert perfect.intervals["image_auroc"] == (1.0, 1.0)
    assert perfect.in_words()[-1].startswith("Note: the 95 % range of the image AUROC has no width")
    assert evaluated(scores_of([5, 1, 4, 2, 3, 0]), labelled_folder(folder)).notes == ()


def test_defects_outside_of_what_the_network_saw_are_told(folder, tmp_path):
    masks = write_masks(tmp_path / "masks")
    corner = np.zeros((8, 8), np.uint8)
    corner[4, 4] = corner[0, 0] = 255  # one in the middle, one in the corner that is cut off
    Image.fromarray(corner).save(masks / "dent" / "1_mask.png")
    settings = load_settings(overrides=["images.size=8", "images.crop=4"])
    cropped = replace(scores_of([5, 1, 4, 2, 3, 0], hot_corner()), settings=settings)
    (note,) = evaluated(cropped, labelled_folder(folder), masks).notes
    assert "where the network did not look (images.crop): 1 of 4." in note


def test_a_missing_mask_is_named(folder, tmp_path):
    with pytest.raises(ImageError, match=r"neither 1_mask\.png nor 1\.png is in"):
        evaluated(scores_of(range(6)), labelled_folder(folder), tmp_path)


def test_a_mask_of_another_size_is_refused(folder, tmp_path):
    for name in ("crack/1.png", "crack/2.png", "dent/1.png"):
        put(tmp_path / "masks" / name, size=(9, 8), value=255)
    with pytest.raises(ShapeError, match=r"crack/1\.png has 9 x 8 pixels .* its image 8 x 8\. Resize the mask"):
        evaluated(scores_of(range(6)), labelled_folder(folder), tmp_path / "masks")


def test_a_folder_without_good_or_without_defects_is_refused(tmp_path):
    put(tmp_path / "good" / "1.png")
    with pytest.raises(NoImagesError, match="at least one folder of defective parts"):
        labelled_folder(tmp_path)
    with pytest.raises(NoImagesError, match="is no folder"):
        labelled_folder(tmp_path / "good" / "1.png")


def test_masks_are_found_before_anything_is_compared(folder, tmp_path):
    labelled, masks = labelled_folder(folder), write_masks(tmp_path / "masks")
    found = mask_files(labelled, masks)
    assert [[file.name for file in files] for files in found] == [["1_mask.png"], ["2.png"], ["1_mask.png"], [], [], []]
    (masks / "dent" / "1_mask.png").unlink()
    with pytest.raises(ImageError, match=r"dent/1\.png has no mask"):
        mask_files(labelled, masks)


def test_several_masks_of_one_image_are_joined_and_colours_count(tmp_path):
    left, right = np.zeros((4, 6), np.uint8), np.zeros((4, 6, 3), np.uint8)
    left[1, 1], right[2, 4, 2] = 1, 9
    for name, mask in (("left.png", left), ("right.png", right)):
        Image.fromarray(mask).save(tmp_path / name)
    joined = defect_mask([tmp_path / "left.png", tmp_path / "right.png"], (4, 6))
    assert np.argwhere(joined).tolist() == [[1, 1], [2, 4]]
    assert not defect_mask([], (4, 6)).any()


def test_masks_that_mark_nothing_are_refused(folder, tmp_path):
    for name in ("crack/1.png", "crack/2.png", "dent/1.png"):
        put(tmp_path / "masks" / name)
    with pytest.raises(InputError, match="0 bad and 384 good pixels came"):
        evaluated(scores_of(range(6)), labelled_folder(folder), tmp_path / "masks")
