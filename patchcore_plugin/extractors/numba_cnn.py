"""The reference's backbones compiled for the CPU: the default extractor, which needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from patchcore_plugin.arrays import as_numpy
from patchcore_plugin.extractors.backbone_settings import BackboneSettings
from patchcore_plugin.extractors.numba_program import Program, write_program
from patchcore_plugin.extractors.numba_runner import run
from patchcore_plugin.extractors.numba_weights import PackedWeights, pack_weights
from patchcore_reference.backbones import block_indices, network, require_pixels

if TYPE_CHECKING:
    from patchcore_plugin.arrays import FeatureMap, Pixels


@dataclass(frozen=True, kw_only=True)
class NumbaCnn(BackboneSettings):
    """EfficientNet-Lite, ResNet or Wide-ResNet on all cores that Numba may use (NUMBA_NUM_THREADS).

    The first call on a machine compiles for some seconds; the result is kept on disk.
    """

    def extract(self, pixels: Pixels) -> tuple[FeatureMap, ...]:
        """Return one map per layer, as ``FeatureExtractor`` promises; bad pixels are refused before weights are read.

        Cost: uses all cores from one image on; images beyond a multiple of the cores are cut into strips. Calls from
              several threads take turns.
        """
        images = as_numpy(pixels, "pixels")
        require_pixels(images)
        packed = _packed(self, self.weights_sha256)
        places = block_indices(self.backbone, self.layers)
        program = _program(self.backbone, places, *images.shape[2:])
        maps = run(program, packed, np.require(images, np.float32, ["C_CONTIGUOUS", "ALIGNED", "WRITEABLE"]))
        return tuple(maps[place] for place in places)


@lru_cache(maxsize=4)
def _packed(settings: NumbaCnn, _sha256: str) -> PackedWeights:
    """The weights made ready, once for all extractors of the same settings, until their file changes."""
    last_block = max(block_indices(settings.backbone, settings.layers))
    return pack_weights(network(settings.backbone), last_block, settings.loaded_weights().arrays)


@lru_cache(maxsize=16)
def _program(backbone: str, places: tuple[int, ...], height: int, width: int) -> Program:
    return write_program(network(backbone), places, height, width)
