"""What a sampler can tell beyond row numbers: how well each beginning of them covers, and what the picking took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from patchcore_plugin.arrays import Rows


@dataclass(frozen=True, eq=False)
class Selection:
    """Rows in order of selection, with the coverage radius after each choice.

    Shapes: rows int64 (M,), radii float64 (M,), never increasing.
    Units:  radii are Euclidean distances in the unit of the embeddings: how far the farthest embedding is from the rows
            chosen so far. Any beginning of the rows is what a smaller number would have given.

    ``facts`` are for people: rows, batches, radius; shares of all N*M pairs by what became of them (never met, cut by
    short vectors, measured in full); width of the short vectors; seconds of each stage.
    """

    rows: Rows
    radii: npt.NDArray[np.float64]
    facts: dict[str, Any] = field(default_factory=dict)
