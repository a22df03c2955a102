"""The networks of torchvision as an extractor."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torchvision import models  # type: ignore[import-untyped]  # ships no type information

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.extractors.torch_backbone import TorchBackbone
from patchcore_plugin.extractors.torch_grid import Conventions
from patchcore_plugin.extractors.torch_hub import fetched
from patchcore_plugin.extractors.torch_library import TorchLibrary
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from patchcore_plugin.extractors.torch_library import State

_SLOW_INITS = ("googlenet", "inception_v3")  # they warn unless told whether to draw their own initial values
_FIRST = "IMAGENET1K_V1"  # the recipe that PatchCore was published with; later ones suit it less
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(\d)")


class Torchvision(TorchLibrary):
    """torchvision's networks for classification."""

    name = "torchvision"
    listing = "https://pytorch.org/vision/stable/models.html"

    def names(self) -> tuple[str, ...]:
        """The networks for classification of images."""
        return tuple(models.list_models(module=models))

    def knows(self, backbone: str) -> bool:
        """Whether torchvision spells it so."""
        return backbone in self.names()

    def size(self, backbone: str) -> tuple[int, int]:
        """All were made for 224 x 224, but one."""
        return (299, 299) if backbone == "inception_v3" else (224, 224)

    def build(self, backbone: str) -> nn.Module:
        """Make a network without weights."""
        options = {"init_weights": False} if backbone in _SLOW_INITS else {}
        network: nn.Module = models.get_model(backbone, weights=None, **options)
        return network

    def conventions(self, network: nn.Module) -> Conventions:
        """Vision transformers have a class token; Swin has channels last."""
        tokens = int(isinstance(network, models.VisionTransformer))
        return Conventions(extra_tokens=tokens, channels_last=isinstance(network, models.SwinTransformer))

    def renamed(self, state: State, network: nn.Module) -> State:
        """DenseNet's files still bear the names of its first version."""
        if not isinstance(network, models.DenseNet):
            return state
        return {_OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items()}

    def hub_file(self, backbone: str, tag: str) -> Path:
        """The file of ``tag``, such as IMAGENET1K_V2; without one IMAGENET1K_V1 where it exists."""
        known = {weights.name: weights for weights in models.get_model_weights(backbone)}
        tag = tag or (_FIRST if _FIRST in known else next(iter(known), ""))
        if tag not in known:
            raise WeightsError(
                f"torchvision offers no weights {tag!r} of {backbone}.{did_you_mean(tag, known)} It offers: "
                f"{listed(known)}."
            )
        return fetched(known[tag].url)


@dataclass(frozen=True, kw_only=True)
class TorchvisionBackbone(TorchBackbone):
    """Any network of torchvision. There is no package of weights: name a file, or ask for the hub."""

    backbone: str = "wide_resnet50_2"
    layers: tuple[str, ...] = ("layer2", "layer3")

    library: ClassVar[TorchLibrary] = Torchvision()
