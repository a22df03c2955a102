"""A dry run of a network: which layers run, in which order, and what each gives for images of one size.

The run happens on torch's meta device: shapes without values, so it needs no weights, no memory and hardly any time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from patchcore_plugin.errors import ConfigError, ShapeError
from patchcore_plugin.extractors.layer_shapes import LayerShape
from patchcore_plugin.extractors.torch_grid import Layout, layout_of
from patchcore_plugin.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from patchcore_plugin.extractors.torch_library import TorchLibrary

_IMAGES = 2  # in the dry run; an axis of one could be anything
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Survey:
    """What a dry run found."""

    backbone: str
    size: tuple[int, int]
    layouts: dict[str, Layout]  # layers that give a map, in the order in which they finish
    same_as: dict[str, str]  # layers that hand on another layer's map unchanged -> that layer
    refused: dict[str, str]  # every other layer -> why it gives no map
    inner: frozenset[str]  # layers inside of repeated blocks
    finished: tuple[str, ...]  # all layers that ran, in the order in which they finished
    failure: str  # what ended the run early; empty where it went to the end

    def layout(self, layer: str) -> Layout:
        """Return how to read one layer.

        Raises: ConfigError for a layer that does not exist or gives no map; ShapeError where the network cannot take
                images of this size.
        """
        if layer in self.layouts:
            return self.layouts[layer]
        if layer not in self.refused:
            raise ConfigError(
                f"there is no layer of {self.backbone} {layer!r}.{did_you_mean(layer, self.layouts)} "
                f"Choose one of: {listed(self.prominent())}."
            )
        self.require_complete()
        raise ConfigError(
            f"layer {layer!r} of {self.backbone} {self.refused[layer]}. Choose one of: {listed(self.prominent())}."
        )

    def require_complete(self) -> None:
        """Refuse a size that the network cannot take to its end."""
        if self.failure:
            raise ShapeError(
                f"{self.backbone} cannot take images of {self.size[0]} x {self.size[1]} pixels: {self.failure}. "
                "Change images.size (or images.crop) to what the network was made for."
            )

    def parts_behind(self, layers: Iterable[str]) -> frozenset[str]:
        """The outermost parts of the network that run only after all of ``layers``, such as a classifier."""
        last = max(self.finished.index(layer) for layer in layers)
        begun = {layer.partition(".")[0] for layer in layers}
        return frozenset(name for name in self.finished[last + 1 :] if "." not in name) - begun

    def prominent(self) -> Iterable[str]:
        """The layers that people ask for: stages and blocks, not what is inside of a block."""
        return (shape.name for shape in self.shapes() if not shape.inner) if self.layouts else ()

    def shapes(self) -> tuple[LayerShape, ...]:
        """Every layer that gives a map, in the order of the data."""
        return tuple(
            LayerShape(
                name=name,
                channels=layout.channels,
                grid=layout.grid,
                size=self.size,
                inner=name in self.inner or layout.grid == (1, 1),
            )
            for name, layout in self.layouts.items()
        )


@lru_cache(maxsize=64)
def survey(library: TorchLibrary, backbone: str, size: tuple[int, int]) -> Survey:
    """Run a network of shapes on images of H x W ``size``.

    Raises: ConfigError for an unknown backbone. A network that cannot take the size is a ``failure`` of the answer.
    """
    library.require(backbone)
    failure = ""
    try:
        network = library.skeleton(backbone, size)
    except Exception as problem:  # noqa: BLE001 - libraries raise anything for a size they cannot be made for
        network, failure = library.skeleton(backbone, library.size(backbone)), _first_line(problem)
    runs, outputs = Counter[str](), dict[str, Any]()
    for name, module in network.named_modules():
        module.register_forward_hook(partial(_note, name, runs, outputs))
    if not failure:
        failure = _dry_run(network, size)
    layouts: dict[str, Layout] = {}
    refused = dict.fromkeys((name for name, _ in network.named_modules() if name), "does not run")
    for name, output in outputs.items():
        found: Layout | str = f"runs {runs[name]} times for one image"
        if runs[name] == 1:
            found = layout_of(network.get_submodule(name), output, _IMAGES, size, library.conventions(network))
        if isinstance(found, Layout):
            layouts[name] = found
        else:
            refused[name] = found
    repeats = _repeats(layouts, outputs)
    return Survey(backbone, size, layouts, repeats, refused, _inner(network), tuple(outputs), failure)


def _note(name: str, runs: Counter[str], outputs: dict[str, Any], _module: Any, _inputs: Any, output: Any) -> None:
    if name:  # the whole network is no layer
        runs[name] += 1
        outputs[name] = output


def _dry_run(network: nn.Module, size: tuple[int, int]) -> str:
    with torch.inference_mode():
        try:
            network(torch.empty(_IMAGES, 3, *size, device="meta"))
        except Exception as problem:  # noqa: BLE001 - networks refuse sizes by all kinds of exceptions
            return _first_line(problem)
    return ""


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")


def _repeats(layouts: Iterable[str], outputs: dict[str, Any]) -> dict[str, str]:
    """Find stages that hand on their last block's map; what was changed in place in between is no repetition."""
    latest: dict[int, str] = {}
    repeats: dict[str, str] = {}
    for name in layouts:
        last = latest.get(id(outputs[name]), "")
        if last.startswith(f"{name}."):
            repeats[name] = repeats.get(last, last)
        latest[id(outputs[name])] = name
    return repeats


def _inner(network: nn.Module) -> frozenset[str]:
    """Everything inside of blocks. A block is what stands several times side by side, with modules of its own."""
    blocks: set[type] = set()
    for parent in network.modules():
        kinds = Counter(type(child) for child in parent.children() if next(child.children(), None) is not None)
        blocks |= {kind for kind, number in kinds.items() if number > 1 and kind not in _CONTAINERS}
    inside = [f"{name}." for name, module in network.named_modules() if type(module) in blocks]
    return frozenset(name for name, _ in network.named_modules() if name.startswith(tuple(inside)))
