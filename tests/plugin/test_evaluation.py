from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from patchcore_plugin.calibration import Calibration
from patchcore_plugin.config import load_settings
from patchcore_plugin.errors import ImageError, NoImagesError, ShapeError
from patchcore_plugin.evaluation import evaluated, labelled_folder
from patchcore_plugin.scores import Scores


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


def test_masks_add_the_pixel_figure(folder, tmp_path):
    hot = np.zeros((6, 2, 2), np.float32)
    hot[:3, 0, 0] = 1  # the upper left quarter of each defective image
    for number, name in enumerate(("crack/1_mask.png", "crack/2.png", "dent/1_mask.png")):
        mask = np.zeros((8, 8), np.uint8)
        mask[: 3 + number % 2, :3] = 255
        (tmp_path / "masks" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    labelled = labelled_folder(folder)
    right = evaluated(scores_of(range(6), hot), labelled, tmp_path / "masks").figures["pixel_auroc"]
    wrong = evaluated(scores_of(range(6), hot[:, ::-1, ::-1].copy()), labelled, tmp_path / "masks").figures[
        "pixel_auroc"
    ]
    assert right > 0.95
    assert wrong < 0.6


def test_a_missing_mask_is_named(folder, tmp_path):
    with pytest.raises(ImageError, match=r"neither 1_mask\.png nor 1\.png is in"):
        evaluated(scores_of(range(6)), labelled_folder(folder), tmp_path)


def test_a_mask_of_another_size_is_refused(folder, tmp_path):
    for name in ("crack/1.png", "crack/2.png", "dent/1.png"):
        put(tmp_path / "masks" / name, size=(9, 8), value=255)
    with pytest.raises(ShapeError, match="Resize the mask"):
        evaluated(scores_of(range(6)), labelled_folder(folder), tmp_path / "masks")


def test_a_folder_without_good_or_without_defects_is_refused(tmp_path):
    put(tmp_path / "good" / "1.png")
    with pytest.raises(NoImagesError, match="at least one folder of defective parts"):
        labelled_folder(tmp_path)
    with pytest.raises(NoImagesError, match="is no folder"):
        labelled_folder(tmp_path / "good" / "1.png")
