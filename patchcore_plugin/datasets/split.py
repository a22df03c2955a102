"""One category's images: which to learn from, which set a threshold, which are tested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from patchcore_plugin.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "good"


@dataclass(frozen=True)
class TestImage:
    """An image of known kind: ``"good"`` or the name of its defect.

    ``masks`` are files as large as the image; what is not zero in any of them is defect. Good images have none, nor has
    any image where the layout knows no masks.
    """

    __test__: ClassVar[bool] = False  # pytest would take the name for a class of tests

    path: Path
    kind: str
    masks: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Split:
    """Images of one category, none of them on two sides; ``fit`` and ``calibrate`` are good without exception.

    ``calibrate`` is empty where the layout holds no validation images.

    Order:  each side as a person would list its files, the test by kind first; the same on every machine.
    """

    category: str
    fit: tuple[Path, ...]
    calibrate: tuple[Path, ...]
    test: tuple[TestImage, ...]

    def low_shot(self, count: int, seed: int) -> Split:
        """Keep ``count`` of the images to fit, chosen at random; with one seed a larger count contains a smaller one.

        Raises: InputError when there are not that many, or fewer than one is asked for.
        """
        if not 1 <= count <= len(self.fit):
            raise InputError(
                f"{count} images to learn from are asked for, but {self.category} has {len(self.fit)}. "
                f"Ask for 1 to {len(self.fit)}."
            )
        chosen = np.random.default_rng(seed).permutation(len(self.fit))[:count]
        return replace(self, fit=tuple(self.fit[i] for i in sorted(chosen)))


def complete(split: Split, source: Path) -> Split:
    """Return the split as it is, once it has an image to fit, and a good and a defective one to test.

    Raises: InputError that counts what the list or table ``source`` gives.
    """
    good = sum(image.kind == GOOD for image in split.test)
    if not (split.fit and 0 < good < len(split.test)):
        raise InputError(
            f"{source} gives {split.category} {len(split.fit)} image(s) to learn from, and {good} good and "
            f"{len(split.test) - good} defective one(s) to test; at least one of each is needed. Complete it."
        )
    return split
