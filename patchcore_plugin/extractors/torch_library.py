"""What a library of networks has to tell, so that one extractor can run them all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeAlias

import torch

from patchcore_plugin.errors import ConfigError
from patchcore_plugin.extractors.torch_initial_values import OwnDraws
from patchcore_plugin.spelling import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from patchcore_plugin.extractors.torch_grid import Conventions

State: TypeAlias = dict[str, torch.Tensor]


class TorchLibrary(ABC):
    """A library of networks by name. It has no settings: one instance serves all extractors."""

    name: str  # of the extractor, for texts
    listing: str  # where its names can be looked up

    @abstractmethod
    def knows(self, backbone: str) -> bool:
        """Whether there is a network of that name."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of all networks."""

    @abstractmethod
    def build(self, backbone: str) -> nn.Module:
        """Make a network with whatever values it begins with; weights come later."""

    @abstractmethod
    def hub_file(self, backbone: str, tag: str) -> Path:
        """Return the library's own weights as a file, fetched unless it is already there; ``tag`` may be empty.

        Raises: WeightsError when there are none, or they cannot be fetched.
        """

    @abstractmethod
    def size(self, backbone: str) -> tuple[int, int]:
        """H, W of the images a network was made for."""

    @abstractmethod
    def conventions(self, network: nn.Module) -> Conventions:
        """How the network arranges its tensors."""

    @abstractmethod
    def renamed(self, state: State, network: nn.Module) -> State:
        """Bring a file's tensors under the network's own names, where the library knows of older ones."""

    def resize(self, network: nn.Module, size: tuple[int, int]) -> bool:
        """Make a network that is tied to one size ready for another; answers whether it is tied to a size at all.

        Those that are bring their position embeddings, and windows, to the new grid themselves.
        """
        resizing = getattr(network, "set_input_size", None)
        if resizing is None:
            return False
        resizing(img_size=size)
        return True

    def require(self, backbone: object) -> None:
        """Refuse what is no name of a network here.

        Raises: ConfigError with close matches.
        """
        if not isinstance(backbone, str) or not self.knows(backbone):
            raise ConfigError(
                f"{self.name} has no backbone {backbone!r}.{did_you_mean(backbone, self.names())} "
                f"All names: {self.listing}."
            )

    def skeleton(self, backbone: str, size: tuple[int, int]) -> nn.Module:
        """A network of shapes without values, ready for images of one size: costs no memory and hardly any time."""
        try:
            with OwnDraws(None), torch.device("meta"):
                network = self.build(backbone)
        except NotImplementedError:  # some compute with values while they are built
            network = self.initial(backbone, None).to("meta")
        if size != self.size(backbone):
            self.resize(network, size)
        return network.eval()

    def initial(self, backbone: str, seed: int | None) -> nn.Module:
        """A network on the CPU with random weights that depend on the seed alone; unfilled where there is none."""
        with OwnDraws(seed), torch.device("cpu"):
            return self.build(backbone).eval()
