"""Which network, which of its layers, which weights: the settings of every extractor that runs a reference backbone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

from patchcore_plugin.errors import ConfigError, InputError
from patchcore_plugin.weights import PACKAGE, Weights, load_weights
from patchcore_reference import backbones


@dataclass(frozen=True, kw_only=True)
class BackboneSettings:
    """A backbone by name, the layers to keep (finest grid first), and where its weights come from.

    Raises: ConfigError for an unknown backbone or layer, a layer named twice, or a coarser layer before a finer one.
    """

    backbone: str = "efficientnet_lite0"
    layers: tuple[str, ...] = ("blocks.2", "blocks.4")
    weights: str = PACKAGE  # or the path of a .pth, .pt or .safetensors file

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str | PathLike):
            raise ConfigError(f'weights is {self.weights!r}, but the path of a file, or "package", is needed.')
        object.__setattr__(self, "weights", str(self.weights))
        object.__setattr__(self, "layers", _checked_layers(self.backbone, self.layers))

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each layer, in the order of ``layers``."""
        return backbones.channels(self.backbone, self.layers)

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels between two values of each layer's map."""
        return backbones.strides(self.backbone, self.layers)

    @property
    def weights_sha256(self) -> str:
        """Checksum of the file the weights come from; reads it when it has not been read yet."""
        return self.loaded_weights().sha256

    def loaded_weights(self) -> Weights:
        """The weights, read at the first call and shared by all extractors that name the same unchanged file.

        Raises: WeightsError as ``load_weights`` does.
        """
        return _loaded(self.backbone, self.weights, _last_change(self.weights))


def _checked_layers(backbone: str, layers: object) -> tuple[str, ...]:
    if not isinstance(layers, list | tuple):
        raise ConfigError(f"layers is {layers!r}, but a list of names is needed, such as ['blocks.2', 'blocks.4'].")
    try:
        strides = backbones.strides(backbone, layers)
    except InputError as problem:
        raise ConfigError(str(problem)) from None
    if len(set(backbones.block_indices(backbone, layers))) < len(layers):
        raise ConfigError(f"layers {list(layers)} name the same map of {backbone} twice. Name each once.")
    if list(strides) != sorted(strides):
        ordered = [layer for _, layer in sorted(zip(strides, layers, strict=True), key=lambda pair: pair[0])]
        raise ConfigError(
            f"layers {list(layers)} are not ordered from the finest grid to the coarsest. Write {ordered}."
        )
    return tuple(layers)


def _last_change(source: str) -> int:
    path = Path(source).expanduser()
    return 0 if source == PACKAGE or not path.exists() else path.stat().st_mtime_ns


@lru_cache(maxsize=4)
def _loaded(backbone: str, source: str, _last_change: int) -> Weights:
    return load_weights(backbone, source)
