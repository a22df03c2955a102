"""From an image as it came to the network's pixels, and from the network's geometry back to the image's."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from patchcore_plugin.arrays import Pixels, as_numpy
from patchcore_plugin.errors import ConfigError, EmptyInputError, ImageError, NonFiniteError, ShapeError


class ImageSettings(Protocol):
    """What has to be known to prepare an image; the section ``images`` of the configuration is one."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) every image is resized to; with "shorter-side", H = W is what its shorter side becomes."""

    @property
    def resize(self) -> Literal["stretch", "shorter-side"]:
        """Whether the image takes the size exactly, or keeps its shape and takes it with its shorter side."""

    @property
    def crop(self) -> tuple[int, int] | None:
        """(H, W) cut from the middle afterwards; None: nothing is cut off."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Subtracted from each channel, in units of 0..1."""

    @property
    def std(self) -> tuple[float, float, float]:
        """Divides each channel after that."""

    @property
    def white_level(self) -> float | None:
        """The value that counts as white in 16-bit images; None: 65535. Anything brighter is white too."""


class CropBox(NamedTuple):
    """The part of an image that the network saw, in pixels of that image; edges, so the whole is (0, 0, H, W)."""

    top: float
    left: float
    bottom: float
    right: float


def prepare(image: Any, settings: ImageSettings, name: str = "image") -> Pixels:
    """Scale to 0..1, resize, crop the middle, normalise.

    Gray becomes three equal channels. Resizing is bilinear with antialiasing, on 8-bit values for 8-bit images and on
    floats for all others, so that 16-bit images keep their depth.

    Shapes: uint8, uint16 or float (H, W), (H, W, 1) or (H, W, 3) -> float32 (3, h, w), where (h, w) is the crop,
            or else the size.
    Units:  uint8 in 0..255; uint16 in 0..white_level; float in 0..1. Out: (value - mean) / std.
    Raises: ShapeError, EmptyInputError for other shapes; NonFiniteError for NaN; ImageError for other types and ranges;
            ConfigError for a crop larger than the size.
    Cost:   one copy of the image, as floats unless it has 8 bits.
    """
    picture = require_picture(image, name)
    size = _resized_size((picture.shape[0], picture.shape[1]), settings)
    top, left, height, width = _window(size, settings)
    if picture.dtype == np.uint8:
        resized = _resize_bytes(picture, size).astype(np.float32) / np.float32(255)
    else:
        resized = _resize_floats(unit_floats(picture, settings.white_level), size)
    cut = resized[top : top + height, left : left + width]
    mean, std = (np.asarray(values, dtype=np.float32) for values in (settings.mean, settings.std))
    pixels: Pixels = np.ascontiguousarray(((cut - mean) / std).transpose(2, 0, 1))
    return pixels


def require_picture(image: Any, name: str) -> npt.NDArray[Any]:
    """Check one image; give it as (H, W, 1) or (H, W, 3) uint8, uint16 or floating, without copying."""
    picture = as_numpy(image, name)
    if picture.ndim == 2:
        picture = picture[..., None]
    if picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise ShapeError(
            f"{name} has shape {picture.shape}, but (H, W), (H, W, 1) or (H, W, 3) is needed. "
            "Move the channels to the end, and drop an alpha channel."
        )
    if 0 in picture.shape:
        raise EmptyInputError(f"{name} is empty: its shape is {picture.shape}. Leave it out.")
    if picture.dtype.kind == "f":
        _require_unit_range(picture, name)
    elif picture.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"{name} holds {picture.dtype} values, but uint8, uint16 or floats in 0..1 are needed. Convert it."
        )
    return picture


def unit_floats(picture: npt.NDArray[Any], white_level: float | None = None) -> npt.NDArray[np.float32]:
    """Scale uint8, uint16 or floats to float32 in 0..1; only 16-bit images have a white level of their own."""
    if picture.dtype.kind == "f":
        return np.asarray(picture, dtype=np.float32)
    white = 255.0 if picture.dtype == np.uint8 else float(white_level or 65535)
    scaled: npt.NDArray[np.float32] = np.minimum(picture / np.float32(white), np.float32(1), dtype=np.float32)
    return scaled


def crop_box(image_size: tuple[int, int], settings: ImageSettings) -> CropBox:
    """Say which part of an image the network saw.

    Shapes: image_size (H, W) -> (top, left, bottom, right).
    Units:  pixels of the image, edges rather than centres, not rounded.
    """
    size = _resized_size(image_size, settings)
    top, left, height, width = _window(size, settings)
    down, across = image_size[0] / size[0], image_size[1] / size[1]
    return CropBox(top * down, left * across, (top + height) * down, (left + width) * across)


def put_back(seen: npt.NDArray[Any], image_size: tuple[int, int], settings: ImageSettings) -> npt.NDArray[np.float32]:
    """Bring a map from the network's geometry to the image's: bilinear, half-pixel centres.

    Shapes: seen float (h, w), any grid that covers what the network saw; image_size (H, W) -> float32 (H, W).
    Units:  unchanged; NaN at pixels whose centre the network never saw.
    """
    box = crop_box(image_size, settings)
    rows = _linear_weights(image_size[0], box.top, box.bottom, seen.shape[0])
    columns = _linear_weights(image_size[1], box.left, box.right, seen.shape[1])
    tall = _mix(np.asarray(seen, dtype=np.float32), *rows)
    return np.ascontiguousarray(_mix(np.ascontiguousarray(tall.T), *columns).T)


def _linear_weights(length: int, start: float, stop: float, cells: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """For each of ``length`` pixels: the lower of the two cells it lies between, and how far on; NaN: outside."""
    centres = np.arange(length) + 0.5
    place = (centres - start) * cells / (stop - start) - 0.5
    lower = np.clip(np.floor(place), 0, max(cells - 2, 0)).astype(np.int64)
    share = np.clip(place - lower, 0.0, 1.0) if cells > 1 else np.zeros(length)
    return lower, np.where((centres > start) & (centres < stop), share, np.nan).astype(np.float32)


def _mix(cells: npt.NDArray[Any], lower: npt.NDArray[Any], share: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Blend neighbouring rows of cells."""
    upper = np.minimum(lower + 1, len(cells) - 1)
    return np.asarray(cells[lower] * (1 - share)[:, None] + cells[upper] * share[:, None])


def _resized_size(image_size: tuple[int, int], settings: ImageSettings) -> tuple[int, int]:
    """Height and width of an image after resizing, before the crop."""
    if settings.resize == "stretch":
        return settings.size
    height, width = image_size
    shorter, longer = settings.size[0], settings.size[0] * max(height, width) // min(height, width)
    return (shorter, longer) if height <= width else (longer, shorter)


def _window(size: tuple[int, int], settings: ImageSettings) -> tuple[int, int, int, int]:
    """Top, left, height and width of the crop within the resized image."""
    crop = settings.crop or settings.size
    if crop[0] > settings.size[0] or crop[1] > settings.size[1]:
        raise ConfigError(
            f"images.crop is {tuple(crop)}, larger than images.size {tuple(settings.size)}, from whose middle it is "
            "cut. Make the crop smaller or the size larger."
        )
    spare = (size[0] - crop[0], size[1] - crop[1])
    if settings.resize == "stretch":
        return spare[0] // 2, spare[1] // 2, crop[0], crop[1]
    return round(spare[0] / 2), round(spare[1] / 2), crop[0], crop[1]  # half to even: torchvision's CenterCrop


def _require_unit_range(picture: npt.NDArray[Any], name: str) -> None:
    if not np.isfinite(picture).all():
        bad = np.argwhere(~np.isfinite(picture))
        place = ", ".join(str(axis) for axis in bad[0][:2])
        raise NonFiniteError(
            f"{name} has {len(bad)} value(s) that are NaN or infinite, the first at [{place}]. Leave it out."
        )
    low, high = float(picture.min()), float(picture.max())
    if low < 0 or high > 1:
        raise ImageError(
            f"{name} holds floats from {low:g} to {high:g}, but 0..1 is needed. Divide by the camera's white level."
        )


def _resize_bytes(picture: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize 8-bit (H, W, 1 or 3) to (h, w, 3)."""
    gray = picture.shape[2] == 1
    resized = _resize(np.ascontiguousarray(picture[..., 0] if gray else picture), size)
    return np.repeat(resized[..., None], 3, axis=2) if gray else resized


def _resize_floats(picture: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize float32 (H, W, 1 or 3) to (h, w, 3), one channel at a time: Pillow has no floats in colour."""
    channels = [_resize(np.ascontiguousarray(picture[..., c]), size) for c in range(picture.shape[2])]
    return np.stack(channels * (3 // len(channels)), axis=2)


def _resize(plane: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    # Pillow counts (width, height); its bilinear filter widens with the reduction, which is the antialiasing.
    return np.asarray(Image.fromarray(plane).resize((size[1], size[0]), Image.Resampling.BILINEAR))
