"""How good a detector is on labelled images: a folder ``good`` beside one folder per kind of defect."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from patchcore_plugin.datasets.split import GOOD
from patchcore_plugin.errors import ImageError, NoImagesError, ShapeError
from patchcore_plugin.images import find_images, read_image
from patchcore_plugin.metrics import PixelFigures, average_precision, best_f1, bootstrap_interval, image_auroc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from patchcore_plugin.scores import Scores


__all__ = [
    "GOOD",
    "Evaluation",
    "LabelledImages",
    "auroc_by_defect",
    "counted_pixels",
    "defect_mask",
    "evaluated",
    "figures_of_merit",
    "labelled_folder",
    "mask_files",
]

_NO_WIDTH = (
    "the 95 % range of the image AUROC has no width: every draw of these images gives the same figure. That is no "
    "certainty; more images, of defective parts above all, would show what the figure is worth."
)
_UNSEEN = (
    "some regions of defects lie wholly where the network did not look (images.crop): {unseen} of {all}. "
    "Pixel figures leave them out; they count neither as found nor as missed."
)


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
    """Figures of merit by name, and the image AUROC of each kind of defect against all good images.

    ``intervals`` holds, for some of the figures, the range in which 95 % of resamples of the images lie; ``notes`` what
    has to be known to read the figures rightly, a sentence each.
    """

    figures: dict[str, float]
    by_defect: dict[str, float]
    good: int
    bad: int
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Give everything as one JSON object."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def in_words(self) -> list[str]:
        """Say it in lines for a terminal."""
        lines = [f"{self.good} good and {self.bad} defective images"]
        lines += [
            f"{name.replace('_', ' '):<26} {value:.4f}{self._interval(name)}" for name, value in self.figures.items()
        ]
        if len(self.by_defect) > 1:
            lines += [f"  image auroc, {name:<24} {value:.4f}" for name, value in self.by_defect.items()]
        return [*lines, *(f"Note: {note}" for note in self.notes)]

    def _interval(self, name: str) -> str:
        if name not in self.intervals:
            return ""
        low, high = self.intervals[name]
        return f" (95 %: {low:.3f} to {high:.3f})"


def evaluated(scores: Scores, labelled: LabelledImages, masks: Path | None = None) -> Evaluation:
    """Compare the scores of labelled images with the truth, and with masks those of their pixels too.

    Raises: as ``mask_files`` and ``defect_mask``, where there are masks.
    Cost:   a fraction of a second for the interval; then each heat map is made and compared, one at a time.
    """
    figures, notes = figures_of_merit(scores, labelled.bad), []
    low, high = bootstrap_interval(image_auroc, labelled.bad, scores.image, level=0.95)
    if low == high:
        notes.append(_NO_WIDTH)
    if masks is not None:
        pixels = counted_pixels(scores, labelled, masks)
        figures |= pixels.figures()
        if pixels.unseen_regions:
            notes.append(_UNSEEN.format(unseen=pixels.unseen_regions, all=pixels.unseen_regions + pixels.regions))
    bad = int(labelled.bad.sum())
    return Evaluation(
        figures,
        by_defect=auroc_by_defect(scores, labelled.kinds),
        good=len(labelled.bad) - bad,
        bad=bad,
        intervals={"image_auroc": (low, high)},
        notes=tuple(notes),
    )


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


def counted_pixels(scores: Scores, labelled: LabelledImages, masks: Path) -> PixelFigures:
    """Compare the heat maps with masks, one image at a time in memory.

    Raises: as ``mask_files`` and ``defect_mask``; InputError where no mask marks anything.
    """
    pixels = PixelFigures()
    for i, files in enumerate(mask_files(labelled, masks)):
        pixels.add(defect_mask(files, scores.sizes[i]), scores.map(i))
    return pixels


def mask_files(labelled: LabelledImages, masks: Path) -> list[tuple[Path, ...]]:
    """Find the mask of each defective image: ``masks/<defect>/<image>_mask.png`` or ``masks/<defect>/<image>.png``.

    Order:  one entry per image; good images need no mask and have an empty one.
    Raises: ImageError that names an image whose mask is missing.
    """
    return [_mask_files(masks, kind, path) for path, kind in zip(labelled.paths, labelled.kinds, strict=True)]


def defect_mask(files: Sequence[Path], size: Any) -> npt.NDArray[np.bool_]:
    """Read the masks of one image and join them: anything above zero in any of them is defect; no masks, no defect.

    Shapes: size (H, W) of the image -> bool (H, W).
    Raises: ShapeError that names a mask of another size; ImageError for one that cannot be read.
    """
    height, width = (int(side) for side in size)
    joined = np.zeros((height, width), dtype=bool)
    for file in files:
        mask: npt.NDArray[Any] = read_image(file)
        if mask.shape[:2] != joined.shape:
            raise ShapeError(
                f"the mask {file} has {mask.shape[0]} x {mask.shape[1]} pixels (height x width), but its image "
                f"{height} x {width}. Resize the mask, nearest neighbour."
            )
        joined |= (mask if mask.ndim == 2 else mask.max(axis=2)) > 0
    return joined


def _mask_files(masks: Path, kind: str, image: Path) -> tuple[Path, ...]:
    if kind == GOOD:
        return ()
    for name in (f"{image.stem}_mask.png", f"{image.stem}.png"):
        if (masks / kind / name).is_file():
            return (masks / kind / name,)
    raise ImageError(
        f"{image} has no mask: neither {image.stem}_mask.png nor {image.stem}.png is in {masks / kind}. "
        "Add it, or evaluate without masks."
    )
