"""One extractor that looks at each image in several sizes: what its layers are too near to see, they see from afar."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.extractors.finest_first import finest_first, require_shrinking, require_strides, strides_of
from patchcore_plugin.inner_parts import as_text, created, written_out
from patchcore_reference.backbones import require_pixels

if TYPE_CHECKING:
    import numpy.typing as npt

    from patchcore_plugin.arrays import FeatureMap, Pixels
    from patchcore_plugin.contracts import FeatureExtractor

_EXAMPLE = '{name = "numba-cnn", backbone = "efficientnet_lite1"}'
_LARGEST = 4.0  # sixteen times the pixels, and the time


def _default_network() -> dict[str, Any]:
    return {"name": "numba-cnn"}


@dataclass(frozen=True, kw_only=True)
class MultiScale:
    """The same network looks at each image at every scale; all maps come out together, finest grid first.

    scales  how high and wide the image is each time, as a share of what comes in: 0.5 halves both. At scale 1 pixels
            pass as they are; else they are resized bilinearly, averaged where they shrink, to sizes rounded up.
    of      the extractor that looks, as the configuration has it: a table with ``name`` and its own options.

    Raises: ConfigError for no scales, one that is there twice or is not above 0 and at most 4; for an ``of`` that is no
            such table or does not tell its ``strides``; and whatever the creation of that extractor raises.
    Cost:   that of one look at scale 1, times the sum of the squares of all scales.
    """

    scales: tuple[float, ...] = (1.0, 0.5)
    of: dict[str, Any] = field(default_factory=_default_network)
    _part: FeatureExtractor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", _checked_scales(self.scales))
        part = created("extractor", self.of, "of", _EXAMPLE)
        require_strides(part, f"of, {self.of['name']!r},")
        object.__setattr__(self, "_part", part)
        object.__setattr__(self, "of", written_out(self.of, part))

    def __hash__(self) -> int:
        return hash((self.scales, as_text(self.of)))

    @property
    def layers(self) -> tuple[str, ...]:
        """``scale:layer`` for each map, such as ``0.5:blocks.2``."""
        return tuple(f"{_in_words(self.scales[scale])}:{self._part.layers[layer]}" for scale, layer in self._order())

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each layer, in the order of ``layers``."""
        return tuple(self._part.channels[layer] for _, layer in self._order())

    @property
    def strides(self) -> tuple[float, ...]:
        """Pixels between two values of each layer's map, in the image that comes in; whole numbers where they are."""
        strides = self._strides()
        return tuple(strides[scale][layer] for scale, layer in self._order())

    @property
    def weights_sha256(self) -> str | None:
        """The checksum of the extractor that looks, None where it has none."""
        found: str | None = getattr(self._part, "weights_sha256", None)
        return found

    def extract(self, pixels: Pixels) -> tuple[FeatureMap, ...]:
        """Return the maps of all scales, as ``FeatureExtractor`` promises; of the inner extractor's own kind.

        Raises: ShapeError where the inner extractor cannot take an image at some scale, or rounds sizes so that a finer
                grid would come later; all else that it raises.
        """
        images = as_numpy(pixels, "pixels")
        require_pixels(images)
        maps = [self._look(pixels, images, scale) for scale in self.scales]
        joined = tuple(maps[scale][layer] for scale, layer in self._order())
        require_shrinking(
            joined,
            self.layers,
            f"Choose images.size so that height and width are multiples of {max(strides_of(self._part)):g} at every "
            "scale, or list the first one's scale earlier.",
        )
        return joined

    def _look(self, pixels: Pixels, images: npt.NDArray[Any], scale: float) -> tuple[FeatureMap, ...]:
        if scale == 1:
            return self._part.extract(pixels)  # bit for bit, and on the device where they are
        height, width = images.shape[2:]
        size = _scaled(height, scale), _scaled(width, scale)
        try:
            return self._part.extract(_resized(images, size))
        except ShapeError as problem:
            raise ShapeError(
                f"at scale {_in_words(scale)} images of {height} x {width} pixels become {size[0]} x {size[1]}, which "
                f"{self.of['name']!r} refuses: {problem} Or leave that scale out of extractor.scales."
            ) from problem

    def _strides(self) -> list[list[float]]:
        return [[_stride(stride, scale) for stride in strides_of(self._part)] for scale in self.scales]

    def _order(self) -> list[tuple[int, int]]:
        return finest_first(self._strides())


def _checked_scales(scales: object) -> tuple[float, ...]:
    if not isinstance(scales, list | tuple) or not scales:
        raise ConfigError(f"scales is {scales!r}, but a list of numbers is needed, such as [1.0, 0.5].")
    for scale in scales:
        if not isinstance(scale, Real) or isinstance(scale, bool) or not 0 < float(scale) <= _LARGEST:
            raise ConfigError(f"scales has {scale!r}, but numbers above 0 and at most {_LARGEST:g} are needed.")
    numbers = tuple(float(scale) for scale in scales)
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"scales {list(numbers)} has a number twice. Name each once.")
    return numbers


def _in_words(scale: float) -> str:
    return repr(scale).removesuffix(".0")


def _stride(stride: float, scale: float) -> float:
    """Divide; a whole number where only rounding keeps the quotient from being one."""
    quotient = stride / scale
    return round(quotient) if math.isclose(quotient, round(quotient), rel_tol=1e-9) else quotient


def _scaled(length: int, scale: float) -> int:
    """Round up, as networks round their grids: then a larger stride never has the finer grid."""
    return max(1, math.ceil(round(length * scale, 6)))  # 100 * 0.55 is a little above 55


def _resized(images: npt.NDArray[Any], size: tuple[int, int]) -> Pixels:
    """Resize each channel of each image by itself: Pillow has no floats in colour."""
    resized = np.empty((*images.shape[:2], *size), np.float32)
    for place in np.ndindex(images.shape[:2]):
        plane = Image.fromarray(np.ascontiguousarray(images[place], dtype=np.float32))
        # Pillow counts (width, height); its bilinear filter widens with the reduction, which is the antialiasing.
        resized[place] = plane.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return resized
