"""Maps of several extractors in one row: which layer comes when, and whether the grids really shrink along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from patchcore_plugin.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import FeatureMap


def require_strides(part: object, told: str) -> None:
    """Refuse an extractor whose layers cannot be put in order beforehand.

    ``strides`` are looked for but not read: reading them may build a network.

    Raises: ConfigError.
    """
    if not hasattr(type(part), "strides"):
        raise ConfigError(
            f"{told} does not tell the strides of its layers, which are needed to put them in order. "
            "Choose another extractor."
        )


def strides_of(part: Any) -> tuple[float, ...]:
    """Return the input pixels between two values of each layer's map."""
    return tuple(part.strides)


def finest_first(strides: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Say which layer of which extractor comes when, given the strides of each one's layers.

    Order: by stride; where those are equal, as the extractors are listed.
    """
    places = [(part, layer) for part, those in enumerate(strides) for layer in range(len(those))]
    return sorted(places, key=lambda place: strides[place[0]][place[1]])


def require_shrinking(maps: Sequence[FeatureMap], layers: Sequence[str], remedy: str) -> None:
    """Refuse maps whose grids grow somewhere: extractors may round the size of an image differently.

    Raises: ShapeError with the names of the two layers; its last sentence is ``remedy``.
    """
    for place in range(1, len(maps)):
        before, after = maps[place - 1].shape[2:], maps[place].shape[2:]
        if after[0] > before[0] or after[1] > before[1]:
            raise ShapeError(
                f"{layers[place]} has a grid of {after[0]} x {after[1]}, finer than the {before[0]} x {before[1]} of "
                f"{layers[place - 1]}. {remedy}"
            )
