"""How good a detector is on labelled images: a folder ``good`` beside one folder per kind of defect."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.errors import ImageError, NoImagesError
from patchcore_plugin.images import find_images, read_image
from patchcore_plugin.metrics import average_precision, best_f1, image_auroc, pixel_auroc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from patchcore_plugin.scores import Scores

GOOD = "good"


@dataclass(frozen=True)
class LabelledImages:
    """Images of known kind: ``kinds`` is ``"good"`` or the name of the defect, one per path."""

    paths: tuple[Path, ...]
    kinds: tuple[str, ...]

    @property
    def bad(self) -> npt.NDArray[np.bool_]:
        """True for each defective image."""
        return np.array([kind != GOOD for kind in self.kinds])


def labelled_folder(folder: Path) -> LabelledImages:
    """Read the layout ``folder/good/*`` and ``folder/<any defect>/*``.

    Raises: NoImagesError when the folder lacks good images or images of at least one defect.
    """
    if not folder.is_dir():
        raise NoImagesError(f"{folder} is no folder. Give a folder that holds 'good' and one folder per defect.")
    kinds = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    if GOOD not in kinds or len(kinds) < 2:
        raise NoImagesError(
            f"{folder} holds the folders {', '.join(kinds) or '(none)'}, but 'good' and at least one folder of "
            "defective parts are needed to evaluate."
        )
    found = {kind: find_images(folder / kind) for kind in kinds}
    return LabelledImages(
        paths=tuple(path for kind in kinds for path in found[kind]),
        kinds=tuple(kind for kind in kinds for _ in found[kind]),
    )


@dataclass(frozen=True)
class Evaluation:
    """Figures of merit by name, and the image AUROC of each kind of defect against all good images."""

    figures: dict[str, float]
    by_defect: dict[str, float]
    good: int
    bad: int

    def to_json(self) -> str:
        """Give everything as one JSON object."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal."""
        lines = [f"{self.good} good and {self.bad} defective images"]
        lines += [f"{name.replace('_', ' '):<26} {value:.4f}" for name, value in self.figures.items()]
        if len(self.by_defect) > 1:
            lines += [f"  image auroc, {name:<24} {value:.4f}" for name, value in self.by_defect.items()]
        return lines


def evaluated(scores: Scores, labelled: LabelledImages, masks: Path | None = None) -> Evaluation:
    """Compare the scores of labelled images with the truth."""
    figures = figures_of_merit(scores, labelled.bad)
    if masks is not None:
        figures["pixel_auroc"] = pixel_figure(scores, labelled, masks)
    bad = int(labelled.bad.sum())
    return Evaluation(figures, auroc_by_defect(scores, labelled.kinds), len(labelled.bad) - bad, bad)


def figures_of_merit(scores: Scores, bad: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Compare raw scores with the truth.

    Order:  image AUROC, average precision, best F1 and its threshold; where the detector is calibrated, its own
            threshold with the share of defective images found and of good images falsely alarmed there.
    """
    f1, threshold = best_f1(bad, scores.image)
    figures = {
        "image_auroc": image_auroc(bad, scores.image),
        "average_precision": average_precision(bad, scores.image),
        "best_f1": f1,
        "best_f1_threshold": threshold,
    }
    label = scores.label
    if label is not None and scores.calibration is not None:
        figures["threshold"] = scores.calibration.threshold
        figures["found_at_threshold"] = float(label[bad].mean())
        figures["false_alarms_at_threshold"] = float(label[~bad].mean())
    return figures


def auroc_by_defect(scores: Scores, kinds: tuple[str, ...]) -> dict[str, float]:
    """Image AUROC of each kind of defect against all good images."""
    names = np.array(kinds)
    answer = {}
    for defect in sorted(set(kinds) - {GOOD}):
        chosen = (names == defect) | (names == GOOD)
        answer[defect] = image_auroc(names[chosen] == defect, scores.image[chosen])
    return answer


def pixel_figure(scores: Scores, labelled: LabelledImages, masks: Path) -> float:
    """Pixel AUROC of the heat maps against masks, one image at a time in memory.

    A mask stands at ``masks/<defect>/<image>_mask.png`` or ``masks/<defect>/<image>.png``; anything above zero is
    defect. Good images need none.

    Raises: ImageError that names the mask which is missing.
    """
    files = [_mask_file(masks, kind, path) for path, kind in zip(labelled.paths, labelled.kinds, strict=True)]
    return pixel_auroc(_masks(files, scores), (scores.map(i) for i in range(len(scores))))


def _masks(files: list[Path | None], scores: Scores) -> Iterator[npt.NDArray[np.bool_]]:
    for i, file in enumerate(files):
        if file is None:
            yield np.zeros(scores.sizes[i], dtype=bool)
        else:
            mask: npt.NDArray[Any] = read_image(file)
            yield (mask if mask.ndim == 2 else mask.max(axis=2)) > 0


def _mask_file(masks: Path, kind: str, image: Path) -> Path | None:
    if kind == GOOD:
        return None
    for name in (f"{image.stem}_mask.png", f"{image.stem}.png"):
        if (masks / kind / name).is_file():
            return masks / kind / name
    raise ImageError(
        f"{image} has no mask: neither {image.stem}_mask.png nor {image.stem}.png is in {masks / kind}. "
        "Add it, or evaluate without masks."
    )
