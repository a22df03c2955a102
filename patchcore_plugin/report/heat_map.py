"""A photograph with its anomaly map painted over it, and the bar that explains the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.atomic_file import replacing
from patchcore_plugin.errors import InputError, ShapeError
from patchcore_plugin.image_preparing import require_picture, unit_floats
from patchcore_plugin.report.palette import paint

if TYPE_CHECKING:
    import os

Colours = npt.NDArray[np.uint8]  # (H, W, 3)

_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601: how bright a colour looks


def overlay(image: Any, anomaly_map: Any, *, low: float, high: float, white_level: float | None = None) -> Colours:
    """Paint an anomaly map over its photograph, turned gray so that every colour is heat.

    The scale is given, never taken from this one map: the same colour means the same score in all pictures of a report.

    Shapes: image uint8, uint16 or float 0..1, (H, W) or (H, W, 3); anomaly_map (H, W) -> uint8 (H, W, 3).
    Units:  at ``low`` and below nothing is painted, at ``high`` and above the brightest colour; NaN is not painted.
            ``white_level`` is what counts as white in 16-bit images, 65535 if not given.
    Raises: ShapeError when image and map differ in size; InputError unless low < high; ImageError for a wrong image.
    """
    heat = _on_scale(as_numpy(anomaly_map, "anomaly map"), low, high)
    gray = _gray(require_picture(image, "image"), white_level)
    if heat.shape != gray.shape:
        raise ShapeError(
            f"the anomaly map has shape {heat.shape} but its image {gray.shape}. "
            "Bring the map to the image's size first."
        )
    return paint(gray, heat)


def colour_bar(width: int = 256, height: int = 16) -> Colours:
    """Draw the scale from low (left) to high (right), over the middle gray of a typical photograph.

    Shapes: -> uint8 (height, width, 3).
    """
    heat = np.broadcast_to(np.linspace(0.0, 1.0, width), (height, width))
    return paint(np.full((height, width), 120.0), heat)


def shrink(picture: Colours, longest: int = 320) -> Colours:
    """Make an 8-bit picture smaller, so that no side is longer than asked; small ones stay as they are.

    Shapes: uint8 (H, W) or (H, W, 3) -> uint8 of the same kind.
    """
    _require_bytes(picture)
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.array(image)


def thumbnail(image: Any, longest: int = 320, white_level: float | None = None) -> Colours:
    """Make a small 8-bit copy of an image of any kind that can be scored.

    Shapes: uint8, uint16 or float 0..1, (H, W) or (H, W, 3) -> uint8 (h, w) or (h, w, 3), h, w <= longest.
    """
    picture = require_picture(image, "image")
    small = np.rint(unit_floats(picture, white_level) * 255).astype(np.uint8) if picture.dtype != np.uint8 else picture
    return shrink(small[..., 0] if small.shape[2] == 1 else small, longest)


def save_png(path: str | os.PathLike[str], picture: Colours) -> None:
    """Write a picture, whole or not at all.

    Shapes: picture uint8 (H, W) or (H, W, 3).
    Raises: ShapeError for anything else; OutputError when it cannot be written, and what was there before stays.
    """
    _require_bytes(picture)
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary, format="PNG")


def _on_scale(anomaly_map: npt.NDArray[Any], low: float, high: float) -> npt.NDArray[np.float32]:
    if not low < high:
        raise InputError(f"the colour scale goes from {low} to {high}, but low < high is needed. Widen it.")
    if anomaly_map.ndim != 2:
        raise ShapeError(
            f"the anomaly map has shape {anomaly_map.shape}, but (H, W) is needed. Give one map at a time."
        )
    scaled: npt.NDArray[np.float32] = ((anomaly_map - low) / (high - low)).astype(np.float32)
    return scaled


def _gray(picture: npt.NDArray[Any], white_level: float | None) -> npt.NDArray[np.float32]:
    """Turn (H, W, 1 or 3) of any kind to (H, W) in 0..255."""
    floats = unit_floats(picture, white_level) * np.float32(255)
    return np.asarray(floats[..., 0] if floats.shape[2] == 1 else floats @ _LUMA)


def _require_bytes(picture: npt.NDArray[Any]) -> None:
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
        raise ShapeError(
            f"a picture of shape {picture.shape} and type {picture.dtype} came, but uint8 (H, W) or (H, W, 3) "
            "is needed. Make one with overlay() or thumbnail()."
        )
