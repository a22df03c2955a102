"""The one colour scale of every heat map: dark to bright, so that it also reads in gray and for the colour-blind."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Lightness rises evenly from indigo to straw; hue only helps, it is never needed to tell two values apart.
_ANCHORS = np.array(
    [(38, 32, 92), (104, 34, 128), (178, 42, 106), (228, 88, 58), (248, 160, 44), (255, 236, 128)], dtype=np.float64
)
_STRONGEST = 0.85  # how much of the photograph is hidden at the top of the scale


def heat_colours(heat: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give the colour of each heat value.

    Shapes: heat (...) -> (..., 3).
    Units:  heat in 0..1, clipped; colours in 0..255.
    """
    place = np.linspace(0.0, 1.0, len(_ANCHORS))
    return np.stack([np.interp(heat, place, _ANCHORS[:, c]) for c in range(3)], axis=-1)


def heat_opacity(heat: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Say how far the colour covers the photograph: not at all at 0 and smoothly more above.

    So good regions stay readable.

    Shapes: heat (...) -> (...).
    Units:  both in 0..1.
    """
    clipped = np.clip(heat, 0.0, 1.0)
    return np.asarray(_STRONGEST * np.sqrt(clipped) * np.minimum(1.0, 4 * clipped))


def paint(gray: npt.NDArray[Any], heat: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Lay the colour of the heat over gray values; NaN stays unpainted.

    Shapes: gray, heat (...) -> uint8 (..., 3).
    Units:  gray in 0..255, heat in 0..1, clipped.
    """
    known = np.nan_to_num(np.asarray(heat, dtype=np.float64), nan=0.0, posinf=1.0, neginf=0.0)
    opacity = heat_opacity(known)[..., None]
    mixed = (1 - opacity) * np.asarray(gray, dtype=np.float64)[..., None] + opacity * heat_colours(known)
    return np.rint(mixed).astype(np.uint8)
