"""Running a network as far as the last layer that is wanted, and taking what the layers give on the way."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from patchcore_plugin.extractors.torch_grid import Layout


class _Enough(Exception):  # noqa: N818 - no error: it ends a forward pass that has given all it was asked for
    """All layers have been seen."""


class TappedNetwork:
    """A network of one's own with a tap at each layer. Nobody else may hold it; threads may share it.

    The taps are set once and stay. What one run collects is kept apart from the runs of other threads.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str]) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)
        self._run = threading.local()
        for layer in layers:
            network.get_submodule(layer).register_forward_hook(partial(self._collect, layer))

    def maps(self, images: torch.Tensor, layouts: Mapping[str, Layout]) -> tuple[torch.Tensor, ...]:
        """Return what each layer gives, in the order of ``layouts``.

        Shapes: images (B, 3, H, W), of the network's own type and device -> float32 (B, C_l, h_l, w_l), contiguous,
                ordinary tensors that nothing else refers to.
        """
        self._run.layouts, self._run.maps = layouts, {}
        try:
            # A caller may be training something else, under autocast and with gradients.
            with torch.inference_mode(), torch.autocast(images.device.type, enabled=False):
                self._network(images)
        except _Enough:
            pass
        finally:
            collected, self._run.maps = self._run.maps, {}
        return tuple(collected[layer] for layer in layouts)

    def _collect(self, layer: str, _module: Any, _inputs: Any, output: torch.Tensor) -> None:
        """Copy at once: what follows may write into the layer's output, or hand out the same memory again."""
        with torch.inference_mode(mode=False):  # so that the copy is an ordinary tensor
            found = self._run.layouts[layer].map_of(output)
            self._run.maps[layer] = found.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        if len(self._run.maps) == len(self._run.layouts):
            raise _Enough


class TracedLayers(nn.Module):
    """A network of one's own as a module that exporters can follow: it runs to its end, and they drop what is spare."""

    def __init__(self, network: nn.Module, layouts: Mapping[str, Layout]) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.layouts = dict(layouts)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what each layer gives: pixels (B, 3, H, W) -> float32 (B, C_l, h_l, w_l)."""
        found: dict[str, torch.Tensor] = {}
        taps = [
            self.network.get_submodule(layer).register_forward_hook(partial(self._collect, found, layer))
            for layer in self.layouts
        ]
        try:
            self.network(pixels.to(next(self.network.parameters()).dtype))
        finally:
            for tap in taps:
                tap.remove()
        return tuple(found[layer] for layer in self.layouts)

    def _collect(
        self, found: dict[str, torch.Tensor], layer: str, _module: Any, _inputs: Any, output: torch.Tensor
    ) -> None:
        """Copy at once: what follows may write into the layer's output."""
        found[layer] = self.layouts[layer].map_of(output).to(torch.float32, copy=True)
