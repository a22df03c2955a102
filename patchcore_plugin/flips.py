"""Good photographs as they look where a part lies the other way: mirrored pixels, and the way back to the photograph.

A photograph to choose from gives several pictures, one behind the other: itself, then one for each of ``images.flips``,
in the order named there. A photograph that only calibrates gives itself alone. Pixels are mirrored after they are
prepared, so every photograph is read once, and a crop shows the same of a part in all of its pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from patchcore_plugin.arrays import Pixels, Rows

_DOWN, _ACROSS = ("vertical", "both"), ("horizontal", "both")  # flips that exchange top and bottom, left and right


def pictures_of(pixels: Pixels, numbers: Rows, flips: Sequence[str], aside: Container[int] = ()) -> tuple[Pixels, Rows]:
    """Put behind each image of a batch its mirrored pictures, unless it is one of those put aside.

    Shapes: pixels (B, 3, H, W), numbers (B,) -> pixels (P, 3, H, W), numbers (P,): the image that each picture shows.
    Order:  the images' own; of one image as the module says. Without flips both come back as they are.
    """
    if not flips:
        return pixels, numbers
    ways = [("", *flips) if number not in aside else ("",) for number in numbers.tolist()]
    pictures = [_mirrored(image, flip) for image, several in zip(pixels, ways, strict=True) for flip in several]
    return np.stack(pictures), np.repeat(numbers, [len(several) for several in ways])


def _mirrored(image: Pixels, flip: str) -> Pixels:
    return image[:, :: -1 if flip in _DOWN else 1, :: -1 if flip in _ACROSS else 1]


def places_in_photograph(
    pictures: Rows, y: Rows, x: Rows, grid: tuple[int, int], flips: Sequence[str]
) -> tuple[Rows, Rows]:
    """Mirror places in pictures back, so that they point to what was seen there in the photograph itself.

    Shapes: pictures (M,), 0 for the photograph and n for the n-th of ``flips``; y, x (M,) in the grid -> y, x (M,).
    """
    ways = ("", *flips)
    down, across = (np.array([way in those for way in ways])[pictures] for those in (_DOWN, _ACROSS))
    return np.where(down, grid[0] - 1 - y, y), np.where(across, grid[1] - 1 - x, x)
