"""Which layers of a backbone can be asked for: what ``patchcore layers`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from patchcore_plugin.components import find
from patchcore_plugin.creation import factory_of
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.extractors.backbone_settings import BackboneSettings
from patchcore_plugin.extractors.layer_shapes import LayerShape
from patchcore_plugin.spelling import did_you_mean, listed
from patchcore_reference.backbones import NAMES, network
from patchcore_reference.network_plan import length_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_reference.network_plan import Block

_REFERENCE_SIZE = (224, 224)


def layer_shapes(extractor: str, backbone: str, size: tuple[int, int] | None = None) -> tuple[LayerShape, ...]:
    """List every layer of a backbone whose output is a map, for images of H x W ``size``.

    Order:  of the data.
    Raises: ConfigError for an unknown extractor or backbone, and for an extractor that cannot tell;
            MissingLibraryError; ShapeError for a size that the network cannot take.
    Cost:   a dry run without weights; none at all for the networks of the reference.
    """
    factory: Any = factory_of(find("extractor", extractor))
    if isinstance(factory, type) and issubclass(factory, BackboneSettings):
        return _of_plan(backbone, size or _REFERENCE_SIZE)
    if not hasattr(factory, "layer_shapes"):
        raise ConfigError(
            f"extractor {extractor!r} cannot list the layers of a backbone. Its own documentation names them."
        )
    return tuple(factory.layer_shapes(backbone, size))


def image_size(text: str | None) -> tuple[int, int] | None:
    """Read "224", or "320x240" for 320 pixels high and 240 wide.

    Raises: ConfigError for anything else.
    """
    if text is None:
        return None
    numbers = text.lower().split("x")
    if len(numbers) > 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise ConfigError(f"--size is {text!r}, but a number of pixels such as 224, or 320x240, is needed.")
    return int(numbers[0]), int(numbers[-1])


def layer_table(layers: Sequence[LayerShape]) -> Table:
    """One row per layer."""
    height, width = layers[0].size if layers else (0, 0)
    table = Table("layer", box=None, header_style="bold")
    for column in ("channels", f"grid of {height} x {width} pixels", "stride"):
        table.add_column(column, justify="right")
    for layer in layers:
        table.add_row(escape(layer.name), str(layer.channels), f"{layer.grid[0]} x {layer.grid[1]}", str(layer.stride))
    return table


def _of_plan(backbone: str, size: tuple[int, int]) -> tuple[LayerShape, ...]:
    if backbone not in NAMES:
        raise ConfigError(
            f"the networks that need no torch have no {backbone!r}.{did_you_mean(backbone, NAMES)} There are "
            f"{listed(NAMES)}. More: --extractor torchvision, --extractor timm."
        )
    plan = network(backbone)
    grids = [size]
    for block in plan.blocks:
        grids.append((_length(block, grids[-1][0]), _length(block, grids[-1][1])))
    places = {layer: plan.block_index(layer) for layer in plan.layer_names}
    return tuple(
        LayerShape(name=layer, channels=plan.blocks[place].channels, grid=grids[place + 1], size=size)
        for layer, place in places.items()
    )


def _length(block: Block, length: int) -> int:
    for step in block.steps:
        length = length_after(length, step.kernel, step.stride, step.padding)
    return length
