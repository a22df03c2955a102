"""Where a patch lies, beside what another aggregator says of it: the right thing in the wrong place is strange too."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

from patchcore_plugin.arrays import as_numpy, room_like, values_like
from patchcore_plugin.errors import ConfigError
from patchcore_plugin.inner_parts import as_text, created, written_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from patchcore_plugin.arrays import FeatureMap, PatchGrid
    from patchcore_plugin.contracts import Aggregator

_EXAMPLE = '{name = "local-mean", patch_size = 5}'
_LARGEST = 1e15  # its square still fits into float32


def _default_aggregator() -> dict[str, Any]:
    return {"name": "local-mean"}


@dataclass(frozen=True, kw_only=True)
class WithPosition:
    """What ``of`` gives for each patch, and two values more: how far down and how far across it lies, times ``weight``.

    Both run from 0 at one edge of the image to ``weight`` at the other, so that patches of other places count as
    farther: the distance d between two patches becomes the root of d^2 + (weight * way)^2, where way is the part of the
    image's height and width between them.

    It only makes sense where parts always lie alike in the picture: a label on the wrong side is found, but parts that
    are turned or moved are found too. Of materials without a layout every place must be learned by itself.

    of      an aggregator as the configuration has it: a table with ``name`` and the aggregator's own options.
    weight  in the unit of distances between patch embeddings. Compare it with the radius that ``patchcore fit``
            reports, how far the farthest good patch is from the memory bank: with much less, place hardly counts; with
            about as much, a patch is no longer matched by one from the opposite edge; with many times as much, each is
            compared with its own surroundings alone, and ``sampler.keep`` has to grow. 0 leaves distances as they are.

    Raises: ConfigError for a weight below 0 or none at all, and an ``of`` that is no such table; whatever the creation
            of that aggregator raises.
    """

    of: dict[str, Any] = field(default_factory=_default_aggregator)
    weight: float = 1.0
    _part: Aggregator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.weight, Real) or isinstance(self.weight, bool) or not 0 <= self.weight <= _LARGEST:
            raise ConfigError(
                f"aggregator with-position: weight is {self.weight!r}, but a number from 0 to {_LARGEST:g} is needed, "
                "in the unit of distances between patch embeddings."
            )
        part = created("aggregator", self.of, "of", _EXAMPLE)
        object.__setattr__(self, "weight", float(self.weight))
        object.__setattr__(self, "_part", part)
        object.__setattr__(self, "of", written_out(self.of, part))

    def __hash__(self) -> int:
        return hash((self.weight, as_text(self.of)))

    def aggregate(self, maps: Sequence[FeatureMap]) -> PatchGrid:
        """Summarise, and say where; the answer is of the inner part's kind of array.

        Shapes: maps (B, C_l, H_l, W_l), finest first -> (B, h, w, D + 2).
        Order:  the inner part's D values, then weight * (row + 0.5) / h, then weight * (column + 0.5) / w.
        """
        patches: Any = self._part.aggregate(maps)
        if not hasattr(patches, "new_empty"):  # a tensor is widened by its own methods, where it is
            patches = as_numpy(patches, "patch embeddings")
        images, rows, columns, width = patches.shape
        joined: PatchGrid = room_like(patches, (images, rows, columns, width + 2))
        joined[..., :width] = patches
        joined[..., width] = self._centres(rows, patches)[:, None]
        joined[..., width + 1] = self._centres(columns, patches)
        return joined

    def _centres(self, cells: int, like: Any) -> Any:
        places = [self.weight * (cell + 0.5) / cells for cell in range(cells)]
        return values_like(like, places)
