"""Reading one image file into an array, without losing depth where that can be helped and never in silence."""

from __future__ import annotations

import logging
import struct
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from patchcore_plugin.errors import ImageError

if TYPE_CHECKING:
    import os

    from PIL.Image import Image as PillowImage

Picture = npt.NDArray[Any]  # uint8, uint16 or float32 in 0..1; (H, W) or (H, W, 3)

# Only these decoders are ever tried on a stranger's file; PostScript and the like would start other programs.
FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")

# What Pillow's decoders raise on damaged files; Warning is there for hosts that turn warnings into errors.
_DAMAGE = (
    *(
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        OverflowError,
        AttributeError,
        AssertionError,
    ),
    *(struct.error, zlib.error, MemoryError, NotImplementedError, Image.DecompressionBombError, Warning),
)
_WAY_OUT = "Repair or remove it, or pass skip_unreadable."
_SHALLOW = {"PNG": (16,), "TIFF": (16, 32)}  # bits a colour channel that Pillow cuts down to 8

_log = logging.getLogger(__name__)
_told = threading.Event()  # the loss of depth is told once, not once for each of a thousand files


def read_image(path: str | os.PathLike[str]) -> Picture:
    """Read one file the way a person sees it: EXIF orientation applied, transparency on black.

    8-bit gray, 1-bit and gray palettes become (H, W); colour, CMYK and coloured palettes become (H, W, 3). Transparent
    pixels are blended with black, so that what cannot be seen has no colour of its own. 16-bit gray keeps its depth.
    16-bit colour arrives with 8 bits a channel, since Pillow decodes no more; that is logged as a warning, once.

    Shapes: -> uint8 or uint16 (H, W) or uint8 (H, W, 3); float32 (H, W) for a TIFF of floats.
    Units:  0..255, 0..65535, or 0..1 for floats.
    Raises: ImageError for a file that is missing, no image, damaged, larger than ``PIL.Image.MAX_IMAGE_PIXELS``,
            made of several pictures, or holding numbers outside the units above.
    """
    name = str(path)
    try:
        # Given a name, Pillow maps the file into memory and lays out turned, uncompressed TIFFs wrongly (13.0).
        with Path(path).open("rb") as file, Image.open(file, formats=FORMATS) as image:
            _require_sane(image, name)
            _tell_lost_depth(image, name)
            image.load()
            return pillow_to_array(ImageOps.exif_transpose(image), name)
    except ImageError:
        raise
    except _DAMAGE as problem:
        raise ImageError(f"{name} {_what_is_wrong(problem)}. {_WAY_OUT}") from problem


def pillow_to_array(image: PillowImage, name: str = "image") -> Picture:
    """Turn an open Pillow image of any mode into an array; shapes, units and errors as ``read_image``."""
    mode = image.mode
    if mode == "F":
        return _unit_floats(np.array(image, dtype=np.float32), name)
    if mode == "I" or mode.startswith("I;16"):
        return _sixteen_bits(np.array(image), name)
    if image.has_transparency_data:
        image = _on_black(image)
    if mode in ("1", "L", "LA", "La"):
        return np.array(image.convert("L"))
    colours = np.array(image.convert("RGB"))
    return _gray_if_equal(colours) if mode in ("P", "PA") else colours


def _on_black(image: PillowImage) -> PillowImage:
    """Blend with black by the alpha channel, or by the one colour that is marked as transparent."""
    seen = Image.new("RGBA", image.size, (0, 0, 0, 255))
    seen.alpha_composite(image.convert("RGBA"))
    return seen.convert("RGB")


def _gray_if_equal(colours: Picture) -> Picture:
    """Give a palette image as gray where its palette is; which of the two it is cannot be told from the mode."""
    gray = colours[..., 0]
    same = np.array_equal(gray, colours[..., 1]) and np.array_equal(gray, colours[..., 2])
    return np.ascontiguousarray(gray) if same else colours


def _sixteen_bits(values: Picture, name: str) -> Picture:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ImageError(
            f"{name} holds values from {low} to {high}, but 0..65535 is what fits 16 bits. Save it as 16-bit gray."
        )
    return np.ascontiguousarray(values, dtype=np.uint16)


def _unit_floats(values: Picture, name: str) -> Picture:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0.0 and high <= 1.0):  # written so that NaN is refused too
        raise ImageError(
            f"{name} holds floats from {low:g} to {high:g}, but only 0..1 has a fixed meaning. "
            "Scale it by the camera's white level, or save it as 16-bit gray."
        )
    return values


def _require_sane(image: PillowImage, name: str) -> None:
    # Pillow itself only warns between one and two times its limit; catching that warning would not be thread-safe.
    limit = Image.MAX_IMAGE_PIXELS
    width, height = image.size
    if limit is not None and width * height > limit:
        raise ImageError(
            f"{name} claims {width} x {height} pixels, more than the {limit} that are safe to unpack. "
            "If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS; otherwise remove it or pass skip_unreadable."
        )
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # MPO: a camera's JPEG with its own preview
    if frames > 1:
        raise ImageError(
            f"{name} holds {frames} pictures, and which one is meant is not said. Save each to its own file."
        )


def _tell_lost_depth(image: PillowImage, name: str) -> None:
    if _colour_bits(image) in _SHALLOW.get(image.format or "", ()) and not _told.is_set():
        _told.set()
        _log.warning(
            "%s has 16 bits a colour channel, but Pillow decodes 8 of them; faint defects may be lost. "
            "Save it as 16-bit gray, or hand in uint16 arrays. Said once; other files may be the same.",
            name,
        )


def _colour_bits(image: PillowImage) -> int:
    """Bits a channel in the file, 0 for plain gray, whose depth survives."""
    if image.format == "PNG":
        # The pixel layout Pillow was told to unpack: 'RGB;16B', 'RGBA;16B', 'LA;16B'.
        return 16 if image.mode in ("RGB", "RGBA", "LA") and ";16" in str(getattr(image, "tile", "")) else 0
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA", "LA", "CMYK"):
        bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        return max(bits) if isinstance(bits, tuple) else int(bits)
    return 0


def _what_is_wrong(problem: BaseException) -> str:
    if isinstance(problem, FileNotFoundError):
        return "does not exist"
    if isinstance(problem, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(problem, PermissionError):
        return "may not be read by this user"
    if isinstance(problem, UnidentifiedImageError):
        return f"is no image of a known kind ({', '.join(FORMATS)})"
    if isinstance(problem, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "claims more pixels than are safe to unpack (PIL.Image.MAX_IMAGE_PIXELS)"
    return f"is damaged or cut off ({problem or type(problem).__name__})"
